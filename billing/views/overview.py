"""The overview: what there is, of what kind, until when, and what happened last."""

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.models import BillingCustomer
from billing.selectors.balances import read_category_balances, read_next_expiry
from billing.selectors.entries import page_of_entries
from billing.selectors.overview import daily_movements, estimate_runway, payments_given_back, payments_under_way
from billing.views.access import customer_page
from billing.views.balance import balance_of_page
from billing.views.chart import draw_movements

RECENT_ENTRIES = 5


@require_safe
@customer_page
def overview(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """Balance, kinds of credits, next expiry, what needs attention, thirty days, recent entries."""
    now = timezone.now()
    balance = balance_of_page(request, customer=customer, now=now)
    recent = page_of_entries(customer_id=customer.pk, limit=RECENT_ENTRIES)
    movements = daily_movements(customer_id=customer.pk, now=now) if recent.entries else []
    context = {
        "balance": balance,
        "categories": read_category_balances(customer_id=customer.pk, now=now),
        "next_expiry": read_next_expiry(customer_id=customer.pk, now=now) if balance.next_expiry_at else None,
        "payments_under_way": payments_under_way(customer_id=customer.pk),
        "payments_given_back": payments_given_back(customer_id=customer.pk, now=now),
        "entries": recent.entries,
        "movements": movements,
        "chart": draw_movements(movements),
        "runway": estimate_runway(movements=movements, available=balance.available),
        "has_used": any(movement.used for movement in movements),
    }
    return render(request, "billing/overview.html", context)
