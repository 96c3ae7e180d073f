"""What customers do about money in the portal: another card, an open invoice, whom invoices are made out to."""

from sandbox.stripe.charging.attempts import Taking
from sandbox.stripe.checkout.cards import Card
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import save_change
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.payment_methods import attach_payment_method, billing_details, new_card
from sandbox.stripe.objects.tax_ids import new_tax_id, remove_tax_id, tax_ids_of
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.collecting import default_card
from sandbox.stripe.subscriptions.dunning import collect_and_follow
from sandbox.stripe.subscriptions.invoicing import payment_of
from sandbox.stripe.subscriptions.settings import change_settings, subscriptions_of
from sandbox.stripe.taxes import is_tax_id, kind_of_tax_id

_ADDRESS = ("line1", "line2", "postal_code", "city", "state", "country")


def card_of(sandbox: Sandbox, customer: Resource) -> Resource | None:
    """The card that a customer's subscriptions and invoices are paid with."""
    running = subscriptions_of(sandbox, customer["id"])
    own = [subscription["default_payment_method"] for subscription in running]
    for payment_method_id in (*own, customer["invoice_settings"]["default_payment_method"]):
        found = sandbox.store.get(payment_method_id or "", kind="payment_method")
        if found and found["customer"] and found["type"] == "card":
            return found
    return None


def change_default_card(sandbox: Sandbox, customer: Resource, card: Card, *, name: str = "") -> None:
    """Save a card with a customer, authenticated on the way, and pay everything with it from now on.

    Raises:
        ApiError: its bank refuses it.
    """
    if card.behaviour.decline_code and not card.behaviour.pays_until_saved:
        raise ApiError(card.behaviour.message, code=card.behaviour.code, param="number")
    billing = billing_details(email=customer["email"], name=name or customer["name"])
    saved = new_card(sandbox, number=card.number, exp_month=card.exp_month, exp_year=card.exp_year, billing=billing)
    saved["_is_set_up"] = True
    attach_payment_method(sandbox, saved, customer_id=customer["id"])
    settings = {**customer["invoice_settings"], "default_payment_method": saved["id"]}
    changed = {**customer, "invoice_settings": settings}
    save_change(sandbox, changed, before=customer, event_type="customer.updated")
    for subscription in subscriptions_of(sandbox, customer["id"]):
        if subscription["default_payment_method"]:
            change_settings(sandbox, subscription, {"default_payment_method": saved["id"]})


def pay_open_invoice(sandbox: Sandbox, invoice: Resource) -> Taking:
    """Try to pay an open invoice with the customer's card.

    Raises:
        ApiError: there is no card, or the invoice is not open.
    """
    card = default_card(sandbox, invoice) or card_of(sandbox, sandbox.require("customer", invoice["customer"]))
    if card is None:
        raise ApiError("Add a card first.")
    return collect_and_follow(sandbox, invoice, payment_method=card)


def waiting_intent(sandbox: Sandbox, invoice: Resource) -> Resource | None:
    """The payment intent of an open invoice that waits for its customer, if one does."""
    if invoice["status"] != "open":
        return None
    intent = sandbox.store.get(payment_of(sandbox, invoice)["payment"]["payment_intent"] or "") or {}
    return intent if intent.get("status") == "requires_action" else None


def change_details(sandbox: Sandbox, customer: Resource, typed: dict[str, str], *, allowed: list[str]) -> None:
    """Change whom invoices are made out to, as far as customers may.

    Raises:
        ApiError: the tax number does not look like one of the country's.
    """
    value = "".join(typed.get("tax_id", "").split()).upper() if "tax_id" in allowed else ""
    kind = _kind_of(value, typed.get("country") or (customer["address"] or {}).get("country") or "")
    before = dict(customer)
    for name in ("name", "email"):
        if name in allowed and name in typed:
            customer[name] = typed[name].strip()[:300] or None
    if "address" in allowed and "country" in typed:
        address = {part: typed.get(part, "").strip()[:300] or None for part in _ADDRESS}
        customer["address"] = address if any(address.values()) else None
    save_change(sandbox, customer, before=before, event_type="customer.updated")
    if kind is not None:
        new_tax_id(sandbox, customer, kind=kind, value=value)


def drop_tax_id(sandbox: Sandbox, customer: Resource, tax_id: str) -> None:
    """Take a tax number off a customer's invoices to come."""
    for known in tax_ids_of(sandbox, customer["id"]):
        if known["id"] == tax_id:
            remove_tax_id(sandbox, known)


def _kind_of(value: str, country: str) -> str | None:
    kind = kind_of_tax_id(country)
    if not value:
        return None
    if kind is None or not is_tax_id(kind, value):
        message = "This is no tax number of your country. One of Austria looks like ATU12345678."
        raise ApiError(message, code="tax_id_invalid", param="tax_id")
    return kind
