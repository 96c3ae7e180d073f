"""The page behind ``hosted_invoice_url``: what is billed, and a form to pay it while it is open."""

from datetime import UTC, datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from sandbox.stripe.checkout.cards import TEST_CARDS, read_card
from sandbox.stripe.control import Control
from sandbox.stripe.errors import ApiError
from sandbox.stripe.handler import render_page, sandbox_of
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.pages.money import format_amount
from sandbox.stripe.pages.tokens import ForeignForm, require_token
from sandbox.stripe.records import Resource


def invoice_view(request: HttpRequest, invoice_id: str, secret: str) -> HttpResponse:
    """Show an invoice, or take the card that somebody pays it with."""
    sandbox = sandbox_of(request)
    _find_invoice(sandbox, invoice_id, secret)
    message, errors = "", dict[str, str]()
    if request.method == "POST":
        try:
            require_token(request)
            message, errors = _act(sandbox, invoice_id, request.POST.dict())
        except ForeignForm:
            message = "This page was too old. Please try again."
        except ApiError as error:
            message = error.message
        if not message and not errors:
            response = HttpResponseRedirect(request.path)
            response.status_code = 303
            return response
    invoice = _find_invoice(sandbox, invoice_id, secret)
    context = {
        **_describe(sandbox, invoice),
        "typed": request.POST.dict(),
        "form": {"errors": errors, "message": message},
        "test_cards": TEST_CARDS,
        "token": sandbox.form_token,
    }
    return render_page("invoice.html", context, status=422 if message or errors else 200)


def _find_invoice(sandbox: Sandbox, invoice_id: str, secret: str) -> Resource:
    with sandbox.work():
        invoice = sandbox.store.get(invoice_id, kind="invoice")
    if invoice is None or not (invoice["hosted_invoice_url"] or "").endswith(f"/{secret}"):
        raise Http404("There is no such invoice.")
    return invoice


def _act(sandbox: Sandbox, invoice_id: str, typed: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Pay, or end the authentication. Returns why it did not work, and what is wrong with each field."""
    control = Control(sandbox)
    if typed.get("action") in ("authorize", "fail_authentication"):
        return control.pay_open_invoice(invoice_id, authenticate=typed["action"] == "authorize").message, {}
    card, errors = read_card(
        number=typed.get("number", ""),
        expiry=typed.get("expiry", ""),
        cvc=typed.get("cvc", ""),
        today=datetime.now(UTC).date(),
    )
    if card is None:
        return "", errors
    return control.pay_open_invoice(invoice_id, card=card.number, authenticate=None).message, {}


def _describe(sandbox: Sandbox, invoice: Resource) -> dict[str, Any]:
    currency = invoice["currency"]
    credited = invoice["pre_payment_credit_notes_amount"]
    used = invoice["total"] - invoice["amount_due"] - credited
    rows = [
        {"text": line["description"] or "Item", "amount": format_amount(line["amount"], currency)}
        for line in invoice.get("_lines") or invoice["lines"]["data"]
    ]
    discount = sum(taken["amount"] for taken in invoice["total_discount_amounts"])
    extra = {"Discount": -discount, "Tax": sum(tax["amount"] for tax in invoice["total_taxes"])}
    rows += [{"text": name, "amount": format_amount(amount, currency)} for name, amount in extra.items() if amount]
    return {
        "invoice": invoice,
        "number": invoice["number"],
        "amount": format_amount(invoice["amount_due"], currency),
        "total": format_amount(invoice["total"], currency),
        "credited": format_amount(credited, currency) if credited else "",
        "from_balance": format_amount(used, currency) if used else "",
        "on": datetime.fromtimestamp(invoice["created"], UTC),
        "lines": rows,
        "awaits_authentication": Control(sandbox).waits_for_authentication(invoice["id"]),
    }
