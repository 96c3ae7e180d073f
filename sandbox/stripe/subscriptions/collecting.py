"""Collecting an invoice: by the saved card, by the customer on its page, or not at all."""

from datetime import UTC, datetime

from sandbox.stripe.charging.attempts import Taking, end_authentication, take_by_card
from sandbox.stripe.checkout.cards import behaviour_of, known_card
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event, save_change
from sandbox.stripe.giving_back.following import follow_charge
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.payment_methods import attach_payment_method, billing_details, new_card
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.invoicing import payment_of, save_invoice
from sandbox.stripe.subscriptions.policy import plan_retries

_DECLINING_NUMBER = "4000000000000002"
_NO_CARD: Resource = {
    "code": "missing",
    "message": "This customer has no payment method attached.",
    "type": "invalid_request_error",
}


def collect_invoice(
    sandbox: Sandbox, invoice: Resource, *, payment_method: Resource | None = None, is_authenticated: bool = False
) -> Taking:
    """Try to take what an open invoice asks for, by this card or the saved one, and tell of it.

    Raises:
        ApiError: it is not open.
    """
    if invoice["status"] not in ("open", "uncollectible"):
        raise ApiError(f"You can only pay open invoices: this one is {invoice['status']}.", code="invoice_not_payable")
    if invoice["amount_remaining"] == 0:
        mark_paid(sandbox, invoice)
        return Taking("paid")
    intent = sandbox.require("payment_intent", payment_of(sandbox, invoice)["payment"]["payment_intent"])
    payment_method = payment_method or default_card(sandbox, invoice)
    if payment_method is None:
        taking = Taking("declined", _NO_CARD)
    elif _must_fail(sandbox, invoice["customer"]):
        taking = take_by_card(sandbox, intent, {**payment_method, "_number": _DECLINING_NUMBER})
    else:
        is_excused = is_authenticated or _is_excused(payment_method)
        taking = take_by_card(sandbox, intent, payment_method, is_authenticated=is_excused)
    return _conclude(sandbox, invoice, intent, taking)


def authenticate_invoice(sandbox: Sandbox, invoice: Resource, *, succeed: bool) -> Taking:
    """End the 3-D Secure step that the payment of an invoice waits for."""
    intent = sandbox.require("payment_intent", payment_of(sandbox, invoice)["payment"]["payment_intent"])
    return _conclude(sandbox, invoice, intent, end_authentication(sandbox, intent, succeed=succeed))


def mark_paid(sandbox: Sandbox, invoice: Resource, *, out_of_band: bool = False) -> None:
    """An invoice is paid: by its payment intent, from the balance, or somewhere else. Tells of it."""
    before, paid = dict(invoice), invoice["amount_due"]
    invoice |= {
        "status": "paid",
        "amount_paid": paid,
        "amount_paid_off_stripe": paid if out_of_band else 0,
        "amount_remaining": 0,
        "attempted": True,
        "attempt_count": invoice["attempt_count"] + (paid > 0 and not out_of_band),
        "auto_advance": False,
        "next_payment_attempt": None,
        "status_transitions": {**invoice["status_transitions"], "paid_at": sandbox.now()},
        "_retries": [],
    }
    save_invoice(sandbox, invoice)
    emit_event(sandbox, "invoice.updated", invoice, before=before)
    emit_event(sandbox, "invoice.paid", invoice)
    emit_event(sandbox, "invoice.payment_succeeded", invoice)
    if paid > 0:
        payment = payment_of(sandbox, invoice)
        ended = {"canceled_at": sandbox.now(), "paid_at": None} if out_of_band else None
        payment |= {
            "status": "canceled" if out_of_band else "paid",
            "amount_paid": None if out_of_band else paid,
            "status_transitions": ended or {"canceled_at": None, "paid_at": sandbox.now()},
        }
        sandbox.store.put(payment)
        if not out_of_band:
            emit_event(sandbox, "invoice_payment.paid", payment)


def default_card(sandbox: Sandbox, invoice: Resource) -> Resource | None:
    """The payment method that an invoice is collected by: its own, its subscription's, or its customer's."""
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    subscription = sandbox.store.get(details.get("subscription") or "") or {}
    customer = sandbox.require("customer", invoice["customer"])
    for payment_method_id in (
        invoice["default_payment_method"],
        subscription.get("default_payment_method"),
        customer["invoice_settings"]["default_payment_method"],
    ):
        found = sandbox.store.get(payment_method_id or "", kind="payment_method")
        if found and found["customer"]:
            return found
    return None


def save_card(sandbox: Sandbox, customer_id: str, number: str) -> Resource:
    """A test card that is saved with a customer as the default of what is to be paid, as if set up by the customer."""
    customer = sandbox.require("customer", customer_id)
    card = known_card(number, today=datetime.now(UTC).date())
    billing = billing_details(email=customer["email"], name=customer["name"])
    payment_method = new_card(
        sandbox, number=card.number, exp_month=card.exp_month, exp_year=card.exp_year, billing=billing
    )
    payment_method["_is_set_up"] = True
    attach_payment_method(sandbox, payment_method, customer_id=customer_id)
    before = dict(customer)
    customer["invoice_settings"] = {**customer["invoice_settings"], "default_payment_method": payment_method["id"]}
    save_change(sandbox, customer, before=before, event_type="customer.updated")
    return payment_method


def _conclude(sandbox: Sandbox, invoice: Resource, intent: Resource, taking: Taking) -> Taking:
    if taking.outcome == "paid":
        mark_paid(sandbox, invoice)
        follow_charge(sandbox, intent)
        return taking
    before = dict(invoice)
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
    plan_retries(sandbox, invoice)
    save_invoice(sandbox, invoice)
    emit_event(sandbox, "invoice.updated", invoice, before=before)
    emit_event(sandbox, "invoice.payment_failed", invoice)
    if taking.outcome == "asks_authentication":
        emit_event(sandbox, "invoice.payment_action_required", invoice)
    return taking


def _is_excused(payment_method: Resource) -> bool:
    """Whether the customer agreed when the card was saved, so that it need not be asked again."""
    is_set_up = bool(payment_method.get("_is_set_up"))
    return is_set_up and not behaviour_of(payment_method.get("_number", "")).always_asks


def _must_fail(sandbox: Sandbox, customer_id: str) -> bool:
    customer = sandbox.require("customer", customer_id)
    failing = int(customer.get("_failing_payments", 0))
    if failing:
        sandbox.store.put({**customer, "_failing_payments": failing - 1})
    return failing > 0
