"""Stripe's lists, page by page: what reconciliation reads. No more than one page is held at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import stripe

from billing.gateway.facts import (
    CustomerFacts,
    DisputeFacts,
    FraudWarningFacts,
    PaymentIntentFacts,
    RefundFacts,
    SessionFacts,
)
from billing.gateway.faults import stripe_errors_as_ours
from billing.gateway.listed import (
    BalanceTransactionFacts,
    ChargeFacts,
    InvoiceFacts,
    ListedCustomer,
    ListedEvent,
    parse_balance_transaction,
    parse_charge,
    parse_invoice,
    parse_listed_customer,
    parse_listed_event,
)
from billing.gateway.parsing import (
    parse_customer,
    parse_dispute,
    parse_fraud_warning,
    parse_payment_intent,
    parse_refund,
    parse_session,
)
from billing.gateway.plan_facts import CreditNoteFacts, SubscriptionFacts
from billing.gateway.plan_parsing import parse_credit_note, parse_subscription

PAGE_SIZE = 100
TYPES_AT_ONCE = 20  # https://docs.stripe.com/api/events/list (2026-10-28.endive): as many types may be named

Json = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When objects were made, from `since` on and, where it has an end, before `until`."""

    since: datetime
    until: datetime | None = None

    def as_params(self) -> dict[str, Any]:
        """The filter of Stripe's lists, which counts in whole seconds."""
        bounds = {"gte": int(self.since.timestamp())}
        return {"created": bounds if self.until is None else bounds | {"lt": int(self.until.timestamp())}}


class ListingCalls:
    """Part of `StripeGateway`. Each gives pages of up to 100 objects made in a window, the newest first.

    `customer_id` leaves the objects of one customer at Stripe, where Stripe's list can.
    """

    _client: stripe.StripeClient

    def page_sessions(self, *, window: Window, customer_id: str = "") -> Iterator[list[SessionFacts]]:
        """Checkout sessions."""
        return self._pages("/v1/checkout/sessions", parse_session, _filters(window, customer_id))

    def page_payment_intents(self, *, window: Window, customer_id: str = "") -> Iterator[list[PaymentIntentFacts]]:
        """Payment intents with their latest charges, which know when the money was taken."""
        params = _filters(window, customer_id) | {"expand": ["data.latest_charge"]}
        return self._pages("/v1/payment_intents", parse_payment_intent, params)

    def page_charges(self, *, window: Window, customer_id: str = "") -> Iterator[list[ChargeFacts]]:
        """Charges."""
        return self._pages("/v1/charges", parse_charge, _filters(window, customer_id))

    def page_refunds(self, *, window: Window) -> Iterator[list[RefundFacts]]:
        """Refunds."""
        return self._pages("/v1/refunds", parse_refund, _filters(window))

    def page_disputes(self, *, window: Window) -> Iterator[list[DisputeFacts]]:
        """Disputes with up to two of their movements each; `retrieve_dispute` knows all."""
        return self._pages("/v1/disputes", parse_dispute, _filters(window))

    def page_fraud_warnings(self, *, window: Window) -> Iterator[list[FraudWarningFacts]]:
        """Early fraud warnings."""
        return self._pages("/v1/radar/early_fraud_warnings", parse_fraud_warning, _filters(window))

    def page_invoices(self, *, window: Window, customer_id: str = "") -> Iterator[list[InvoiceFacts]]:
        """Invoices, with the payment intents that pay them."""
        params = _filters(window, customer_id) | {"expand": ["data.payments"]}
        return self._pages("/v1/invoices", parse_invoice, params)

    def page_credit_notes(self, *, window: Window, customer_id: str = "") -> Iterator[list[CreditNoteFacts]]:
        """Credit notes, void ones too."""
        return self._pages("/v1/credit_notes", parse_credit_note, _filters(window, customer_id))

    def page_subscriptions(self, *, window: Window, customer_id: str = "") -> Iterator[list[SubscriptionFacts]]:
        """Subscriptions, ended ones too, with the changes that wait for the end of a period."""
        params = _filters(window, customer_id) | {"status": "all", "expand": ["data.schedule"]}
        return self._pages("/v1/subscriptions", parse_subscription, params)

    def page_balance_transactions(self, *, window: Window) -> Iterator[list[BalanceTransactionFacts]]:
        """Movements of the balance at Stripe."""
        return self._pages("/v1/balance_transactions", parse_balance_transaction, _filters(window))

    def page_customers(self, *, window: Window) -> Iterator[list[ListedCustomer]]:
        """Customers; deleted ones are in no list."""
        return self._pages("/v1/customers", parse_listed_customer, _filters(window))

    def page_events(self, *, window: Window, types: Sequence[str]) -> Iterator[list[ListedEvent]]:
        """Events of these types, at most 30 days old. They are newest first within each group of twenty types."""
        for start in range(0, len(types), TYPES_AT_ONCE):
            named = {"types": list(types[start : start + TYPES_AT_ONCE])}
            yield from self._pages("/v1/events", parse_listed_event, _filters(window) | named)

    def retrieve_charge(self, *, charge_id: str) -> ChargeFacts:
        """A charge as it is now."""
        with stripe_errors_as_ours():
            return parse_charge(self._client.v1.charges.retrieve(charge_id).to_dict())

    def retrieve_customer(self, *, customer_id: str) -> CustomerFacts:
        """A customer as it is now; of a deleted one little more than that."""
        with stripe_errors_as_ours():
            return parse_customer(self._client.v1.customers.retrieve(customer_id).to_dict())

    def list_fraud_warnings_of(self, *, payment_intent_id: str) -> Iterator[FraudWarningFacts]:
        """All early fraud warnings of a payment intent."""
        params = {"payment_intent": payment_intent_id, "limit": PAGE_SIZE}
        for page in self._pages("/v1/radar/early_fraud_warnings", parse_fraud_warning, params):
            yield from page

    def _pages(self, path: str, parse: Callable[[Json], T], params: dict[str, Any]) -> Iterator[list[T]]:
        """Read as plain JSON: the SDK's objects cost several times the memory and time of what is used of them."""
        cursor: dict[str, str] = {}
        while True:
            with stripe_errors_as_ours():
                page: Any = self._client.raw_request("get", path, **params, **cursor).data
            rows = page["data"]
            if rows:
                yield [parse(row) for row in rows]
            if not page["has_more"] or not rows:
                return
            cursor = {"starting_after": rows[-1]["id"]}


def _filters(window: Window, customer_id: str = "") -> dict[str, Any]:
    return {**window.as_params(), "limit": PAGE_SIZE, **({"customer": customer_id} if customer_id else {})}
