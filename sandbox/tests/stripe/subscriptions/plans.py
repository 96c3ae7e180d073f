"""Plans for the tests: Pro at $19 and Pro Plus at $49, for 30 days each, and a customer."""

from typing import Any

import stripe
from stripe.checkout import Session

from sandbox.tests.stripe.shop import Shop

DAY = 24 * 3600


class Plans:
    """Two plans and a customer in a shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.control, self.client = shop, shop.control, shop.client
        self.pro = self.new_price("Pro", 1900)
        self.plus = self.new_price("Pro Plus", 4900)
        self.customer = self.client.v1.customers.create({"email": "ada@example.com", "name": "Ada"}).id

    def new_price(self, name: str, amount: int, *, interval: str = "day", count: int = 30) -> str:
        """The id of a recurring price."""
        recurring: Any = {"interval": interval, "interval_count": count}
        return self.client.v1.prices.create(
            {"currency": "usd", "unit_amount": amount, "recurring": recurring, "product_data": {"name": name}}
        ).id

    def open_session(self, *, price: str | None = None, quantity: int = 1, **more: Any) -> Session:
        """A hosted session that starts a subscription."""
        line: Any = {"price": price or self.pro, "quantity": quantity}
        if "customer_email" not in more:
            more = {"customer": self.customer, **more}
        return self.shop.open_session(mode="subscription", line_items=[line], **more)

    def subscribe(self, *, price: str | None = None, **more: Any) -> stripe.Subscription:
        """A subscription as from the dashboard, read over the API."""
        started = self.control.subscribe(self.customer, price or self.pro, **more)
        return self.read(started["id"])

    def read(self, subscription_id: str, *expand: str) -> stripe.Subscription:
        """A subscription as it is now."""
        return self.client.v1.subscriptions.retrieve(subscription_id, {"expand": list(expand)})

    def invoices(self, subscription_id: str) -> list[stripe.Invoice]:
        """The invoices of a subscription, the latest first."""
        params: Any = {"subscription": subscription_id, "limit": 100, "expand": ["data.payments"]}
        return self.client.v1.invoices.list(params).data

    def balance(self) -> int:
        """The balance of the customer."""
        return self.client.v1.customers.retrieve(self.customer).balance or 0


def lines_of(invoice: stripe.Invoice) -> list[int]:
    """The amounts of an invoice's lines."""
    return [line.amount for line in invoice.lines.data]


def period_of(subscription: stripe.Subscription) -> tuple[int, int]:
    """The current period, which lives on the item."""
    item = subscription["items"].data[0]
    return item.current_period_start, item.current_period_end


def update(plans: Plans, subscription: stripe.Subscription, **params: Any) -> stripe.Subscription:
    """Change the one item by a request, and other fields."""
    item = {name: params.pop(name) for name in ("price", "quantity") if name in params}
    if item:
        params["items"] = [{"id": subscription["items"].data[0].id, **item}]
    return plans.client.v1.subscriptions.update(subscription.id, params)  # type: ignore[arg-type]
