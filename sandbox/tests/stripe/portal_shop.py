"""A shop with two plans, a subscriber, and the portal as a browser without scripts sees it."""

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import stripe

from sandbox.stripe.portal.configurations import prices_on_offer
from sandbox.tests.stripe.shop import Page, Shop

PLANS = {"pro": ("Pro", 1900, "month"), "plus": ("Pro Plus", 4900, "month"), "year": ("Pro", 19000, "year")}
FEATURES: dict[str, Any] = {
    "customer_update": {"enabled": True, "allowed_updates": ["name", "email", "address", "tax_id"]},
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True},
    "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
}
UPDATE: dict[str, Any] = {
    "enabled": True,
    "default_allowed_updates": ["price"],
    "proration_behavior": "always_invoice",
    "schedule_at_period_end": {"conditions": [{"type": "decreasing_item_amount"}, {"type": "shortening_interval"}]},
}


class PortalShop:
    """Sells Pro ($19 a month or $190 a year) and Pro Plus ($49 a month) and opens the portal."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.control, self.client = shop, shop.control, shop.client
        products = {name: self.client.v1.products.create({"name": name}).id for name in ("Pro", "Pro Plus")}
        self.prices: dict[str, str] = {}
        for key, (name, amount, interval) in PLANS.items():
            recurring: Any = {"interval": interval}
            params: Any = {
                "product": products[name],
                "unit_amount": amount,
                "currency": "usd",
                "recurring": recurring,
            }
            self.prices[key] = self.client.v1.prices.create(params).id
        offered = [
            {"product": products["Pro"], "prices": [self.prices["pro"], self.prices["year"]]},
            {"product": products["Pro Plus"], "prices": [self.prices["plus"]]},
        ]
        self.features: dict[str, Any] = {**FEATURES, "subscription_update": {**UPDATE, "products": offered}}
        self.customer = self.client.v1.customers.create({"email": "ada@example.com", "name": "Ada"}).id
        self.configure()

    def configure(self, **features: dict[str, Any]) -> None:
        """A new configuration for the sessions to come; features are merged into the usual ones."""
        merged = {name: {**feature, **features.get(name, {})} for name, feature in self.features.items()}
        params: Any = {"features": merged, "default_return_url": "http://shop.test/plans"}
        self.configuration = self.client.v1.billing_portal.configurations.create(params).id
        stored = self.control.get_object(self.configuration) or {}
        assert set(self.prices.values()) == set(prices_on_offer(stored))

    def subscribe(self, plan: str = "pro", **more: Any) -> str:
        """A subscription of the customer. Returns its id."""
        return str(self.control.subscribe(self.customer, self.prices[plan], **more)["id"])

    def read(self, subscription_id: str) -> stripe.Subscription:
        """The subscription as it is now."""
        return self.client.v1.subscriptions.retrieve(subscription_id)

    def plan_of(self, subscription_id: str) -> str:
        """Which of our plans a subscription has now."""
        price_id = self.read(subscription_id)["items"].data[0].price.id
        return next(key for key, known in self.prices.items() if known == price_id)

    def open(self, **params: Any) -> str:
        """The address of a new session."""
        given: Any = {"customer": self.customer, "configuration": self.configuration, **params}
        return self.client.v1.billing_portal.sessions.create(given).url

    def flow(self, kind: str, **wanted: Any) -> dict[str, Any]:
        """``flow_data`` that leads to the shop when it is done."""
        after = {"type": "redirect", "redirect": {"return_url": "http://shop.test/done"}}
        return {"type": kind, "after_completion": after, **({kind: wanted} if wanted else {})}

    def look(self, address: str, **query: str) -> Page:
        """A page of the portal."""
        return self.shop.browse(f"{address}?{'&'.join(f'{name}={value}' for name, value in query.items())}")

    def press(self, page: Page, address: str, label: str, **typed: str) -> Page:
        """Press the button with this label: its form is sent as it is, with these fields typed in."""
        for form in re.findall(r"<form.*?</form>", page.html, re.DOTALL):
            button = re.search(rf'name="action" value="(\w+)"[^>]*>{re.escape(label)}<', form)
            if button:
                hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
                return self.shop.browse(address, {**hidden, "action": button[1], **typed})
        raise AssertionError(f"There is no {label}.")

    def follow(self, answer: Page) -> Page:
        """The page that an answer leads to."""
        assert answer.status == 303, answer.text
        parts = urlsplit(answer.headers["Location"])
        return self.look(parts.path, **dict(parse_qsl(parts.query)))
