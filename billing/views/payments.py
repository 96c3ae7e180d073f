"""All payments of a customer, with what became of each."""

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.models import BillingCustomer
from billing.selectors.overview import page_of_payments
from billing.views.access import customer_page

PAGE_SIZE = 25
_LARGEST_ID = 2**63 - 1


@require_safe
@customer_page
def payments(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The payments, the newest first, a page at a time."""
    rows, next_before = page_of_payments(
        customer_id=customer.pk, before_id=read_cursor(request.GET.get("before")), limit=PAGE_SIZE
    )
    context = {"payments": rows, "next_before": next_before, "is_first_page": "before" not in request.GET}
    return render(request, "billing/payments.html", context)


def read_cursor(text: str | None) -> int | None:
    """The number a page's address goes on from; anything else in its place is an address that does not exist."""
    if text is None:
        return None
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST_ID))  # int() refuses long ones
    if not (is_number and int(text) <= _LARGEST_ID):
        raise Http404("The address names no page.")
    return int(text)
