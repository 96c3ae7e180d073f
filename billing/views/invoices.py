"""All invoices of a customer, and what the next one is paid with."""

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.errors import StripeUnavailable
from billing.models import BillingCustomer
from billing.selectors.invoices import page_of_invoices
from billing.services.gateway import configured_gateway
from billing.services.payment_methods import read_payment_method
from billing.views.access import customer_page
from billing.views.csp import portal_csp
from billing.views.payments import read_cursor

PAGE_SIZE = 25


@require_safe
@portal_csp
@customer_page
def invoices(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The invoices, the newest first, a page at a time."""
    rows, next_before = page_of_invoices(
        customer_id=customer.pk, before_id=read_cursor(request.GET.get("before")), limit=PAGE_SIZE
    )
    context = {
        "invoices": rows,
        "next_before": next_before,
        "is_first_page": "before" not in request.GET,
        "has_details": customer.details_saved_at is not None,
        "has_stripe": bool(customer.stripe_customer_id),
    }
    return render(request, "billing/invoices.html", context)


@require_safe
@customer_page
def payment_method(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The part of pages that says what invoices are paid with. Loaded by itself: Stripe may be slow, or away."""
    try:
        card = read_payment_method(customer=customer, gateway=configured_gateway())
    except StripeUnavailable:
        return render(request, "billing/includes/payment_method.html", {"is_unknown": True})
    return render(request, "billing/includes/payment_method.html", {"card": card})
