"""The balance in the header, and the one reading of it that a page shares."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.models import BillingCustomer
from billing.selectors.balances import Balance, read_balance
from billing.templatetags.billing_format import short_credits
from billing.views.access import customer_page


def balance_of_page(request: HttpRequest, *, customer: BillingCustomer, now: datetime) -> Balance:
    """The customer's balance, read once for the page and its header."""
    balance = read_balance(customer_id=customer.pk, now=now)
    if balance is None:
        raise RuntimeError(f"Customer {customer.pk} has no balance row.")
    request.billing_balance = balance  # type: ignore[attr-defined]  # for context_processors.header_balance
    return balance


@require_safe
@customer_page
def balance_chip(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The header's balance; 204 while it is what the page already shows, so that nothing is read aloud again."""
    balance = balance_of_page(request, customer=customer, now=timezone.now())
    if request.GET.get("shown") == short_credits(balance.available):
        return HttpResponse(status=204)
    return render(request, "billing/includes/balance_chip.html", {"balance": balance})
