"""The page behind ``receipt_url``."""

from datetime import UTC, datetime

from django.http import Http404, HttpRequest, HttpResponse

from sandbox.stripe.handler import render_page, sandbox_of
from sandbox.stripe.pages.money import format_amount


def receipt_view(request: HttpRequest, charge_id: str, secret: str) -> HttpResponse:
    """The receipt of a charge."""
    sandbox = sandbox_of(request)
    with sandbox.work():
        charge = sandbox.store.get(charge_id, kind="charge")
    if charge is None or not (charge["receipt_url"] or "").endswith(f"/{secret}"):
        raise Http404("There is no such receipt.")
    kind = charge["payment_method_details"]["type"]
    context = {
        "title": "Receipt",
        "number": charge["id"],
        "amount": format_amount(charge["amount"], charge["currency"]),
        "state": "Paid" if charge["paid"] else "Not paid",
        "on": datetime.fromtimestamp(charge["created"], UTC),
        "email": charge["billing_details"]["email"],
        "paid_with": f"{kind.replace('_', ' ')} ending in {charge['payment_method_details'][kind]['last4']}",
        "lines": [
            {"text": charge["description"] or "Payment", "amount": format_amount(charge["amount"], charge["currency"])}
        ],
    }
    return render_page("receipt.html", context)
