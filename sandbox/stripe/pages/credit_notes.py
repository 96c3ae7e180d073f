"""The page behind the ``pdf`` of a credit note."""

from datetime import UTC, datetime

from django.http import Http404, HttpRequest, HttpResponse

from sandbox.stripe.handler import render_page, sandbox_of
from sandbox.stripe.pages.money import format_amount


def credit_note_view(request: HttpRequest, credit_note_id: str, secret: str) -> HttpResponse:
    """A credit note as its customer gets it."""
    sandbox = sandbox_of(request)
    with sandbox.work():
        note = sandbox.store.get(credit_note_id, kind="credit_note")
        if note is None or f"/{secret}?" not in note["pdf"]:
            raise Http404("There is no such credit note.")
        invoice = sandbox.require("invoice", note["invoice"])
    amounts = {
        f"Credit of invoice {invoice['number']}": note["subtotal_excluding_tax"],
        "Tax": sum(tax["amount"] for tax in note["total_taxes"]),
    }
    context = {
        "title": "Credit note",
        "number": note["number"],
        "amount": format_amount(note["total"], note["currency"]),
        "state": note["status"].capitalize(),
        "on": datetime.fromtimestamp(note["effective_at"], UTC),
        "email": invoice["customer_email"],
        "lines": [
            {"text": text, "amount": format_amount(amount, note["currency"])}
            for text, amount in amounts.items()
            if amount
        ],
        "memo": note["memo"],
    }
    return render_page("receipt.html", context)
