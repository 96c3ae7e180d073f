"""What customers can do on the page of the portal, and where each thing leads."""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.http import HttpRequest

from sandbox.stripe.checkout.cards import read_card
from sandbox.stripe.errors import ApiError
from sandbox.stripe.pages.portal_visits import Visit
from sandbox.stripe.pages.tokens import ForeignForm, require_token
from sandbox.stripe.portal import paying, updating
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.scheduling import take_back_change


def act(visit: Visit, request: HttpRequest) -> str | None:
    """Do what was asked for. Gives the address that shows it, or None where the page says what is wrong."""
    action = visit.typed.get("action", "")
    try:
        require_token(request)
        if action not in _ACTIONS:
            raise ApiError("This cannot be done here.")
        return _ACTIONS[action](visit)
    except ForeignForm:
        visit.message = "This page was too old. Please try again."
    except ApiError as error:
        if error.param in ("number", "tax_id"):
            visit.errors[error.param] = error.message
        else:
            visit.message = error.message
    return None


def _change_plan(visit: Visit) -> str:
    unpaid = updating.make_update(visit.sandbox, visit.subscription(), visit.update())
    if unpaid is None:
        return visit.finish("Your plan was changed.", flow="subscription_update")
    return _lead_to_payment(visit, unpaid, "Your plan was changed, but your card was declined: pay the invoice below.")


def _keep_plan(visit: Visit) -> str:
    take_back_change(visit.sandbox, visit.subscription())
    return visit.finish("You keep your plan.")


def _cancel(visit: Visit) -> str:
    updating.cancel(visit.sandbox, visit.configuration, visit.subscription())
    return visit.finish("Your plan was cancelled.", flow="subscription_cancel")


def _resume(visit: Visit) -> str:
    updating.resume(visit.sandbox, visit.subscription())
    return visit.finish("Your plan goes on.")


def _change_card(visit: Visit) -> str | None:
    visit.require_feature("payment_method_update")
    typed = visit.typed
    card, visit.errors = read_card(
        number=typed.get("number", ""),
        expiry=typed.get("expiry", ""),
        cvc=typed.get("cvc", ""),
        today=datetime.now(UTC).date(),
    )
    if card is None:
        return None
    paying.change_default_card(visit.sandbox, visit.customer, card, name=typed.get("name", "").strip()[:200])
    return visit.finish("Your card was changed.", flow="payment_method_update")


def _pay(visit: Visit) -> str:
    invoice = visit.sandbox.store.get(visit.typed.get("invoice", ""), kind="invoice")
    if invoice is None or invoice["customer"] != visit.customer["id"]:
        raise ApiError("There is no such invoice.")
    if paying.waiting_intent(visit.sandbox, invoice) is None:
        taking = paying.pay_open_invoice(visit.sandbox, invoice)
        if taking.outcome == "paid":
            return visit.finish("The invoice was paid.")
    return _lead_to_payment(visit, invoice, "Your card was declined. Change it, then pay again.")


def _change_details(visit: Visit) -> str:
    visit.require_feature("customer_update")
    allowed = visit.configuration["features"]["customer_update"]["allowed_updates"]
    paying.change_details(visit.sandbox, visit.customer, visit.typed, allowed=allowed)
    return visit.finish("Your billing details were changed.", flow="customer_update")


def _drop_tax_id(visit: Visit) -> str:
    visit.require_feature("customer_update")
    paying.drop_tax_id(visit.sandbox, visit.customer, visit.typed.get("tax_id", ""))
    return visit.finish("The tax number was removed.")


_ACTIONS: dict[str, Callable[[Visit], str | None]] = {
    "change_plan": _change_plan,
    "keep_plan": _keep_plan,
    "cancel": _cancel,
    "resume": _resume,
    "change_card": _change_card,
    "pay": _pay,
    "change_details": _change_details,
    "drop_tax_id": _drop_tax_id,
}


def _lead_to_payment(visit: Visit, invoice: Resource, otherwise: str) -> str:
    """To the bank's question where one is open, else to the home page, which says that the card was declined."""
    intent = paying.waiting_intent(visit.sandbox, invoice)
    if intent is None:
        visit.keep(otherwise, kind="alert")
        return visit.address(view="home")
    back = visit.sandbox.base_url + visit.address(view="home")
    query = urlencode({"client_secret": intent["client_secret"], "return_url": back})
    return f"/c/confirm/{intent['id']}?{query}"
