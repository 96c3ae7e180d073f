"""After the checkout: what became of it. These pages only read; credits come by Stripe's events."""

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.models import BillingCustomer, PaymentKind
from billing.selectors.overview import page_of_payments
from billing.selectors.payments import CheckoutState, CheckoutStatus, checkout_status, failed_attempt_messages
from billing.selectors.selling import sells_to
from billing.selectors.shop import packs_for_sale
from billing.views.access import customer_page
from billing.views.balance import balance_of_page

# Seconds before each look at the state, a minute in all; after the last the page gives up kindly.
POLL_SECONDS = (2, 2, 2, 2, 3, 3, 4, 5, 6, 7, 8, 8, 8)
WAITING = (CheckoutState.OPEN, CheckoutState.BEING_CREDITED, CheckoutState.PROCESSING)


@require_safe
@customer_page
def checkout_return(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """Where Stripe sends the buyer back to: the state of the checkout, refreshed until it is final."""
    status = _status_or_404(request, customer)
    return render(request, "billing/checkout_return.html", _context(request, customer, status, looks=0))


@require_safe
@customer_page
def checkout_return_status(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The part of that page that refreshes itself; a final state refreshes the balance in the header too."""
    status = _status_or_404(request, customer)
    context = _context(request, customer, status, looks=_read_looks(request.GET.get("looks", "")))
    response = render(request, "billing/includes/checkout_status.html", context)
    if status.state not in WAITING:
        response["HX-Trigger"] = "balance-changed"
    return response


@require_safe
@customer_page
def checkout_cancelled(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The buyer turned back at Stripe's page, to the plans if it was about one: nothing was charged."""
    newest, _ = page_of_payments(customer_id=customer.pk, before_id=None, limit=1)
    is_plan, is_selling = any(payment.kind == PaymentKind.PLAN for payment in newest), sells_to(customer)
    context = {
        "is_plan": is_plan,
        "is_selling": is_selling,
        "packs": packs_for_sale() if is_selling and not is_plan else [],
    }
    return render(request, "billing/checkout_cancelled.html", context)


def _read_looks(text: str) -> int:
    """How often the page has looked; more than it ever does counts as having given up, nonsense as a first look."""
    if not (text.isascii() and text.isdigit()):
        return 0
    return int(text) if len(text) <= 3 else len(POLL_SECONDS)  # int() refuses long ones


def _status_or_404(request: HttpRequest, customer: BillingCustomer) -> CheckoutStatus:
    """The checkout named in the address; one of somebody else is as unknown as one that never was."""
    status = checkout_status(customer=customer, session_id=request.GET.get("session_id", ""))
    if status is None:
        raise Http404("No checkout of this customer has that id.")
    return status


def _context(
    request: HttpRequest, customer: BillingCustomer, status: CheckoutStatus, *, looks: int
) -> dict[str, object]:
    is_waiting = status.state in WAITING
    failures = failed_attempt_messages(status.payment)
    return {
        "state": status.state.value,
        "payment": status.payment,
        "granted": status.granted,
        "shop": reverse("billing:plans" if status.payment.kind == PaymentKind.PLAN else "billing:buy"),
        "failure": list(failures)[-1] if failures else "",
        "balance": balance_of_page(request, customer=customer, now=timezone.now()),
        "has_given_up": is_waiting and looks >= len(POLL_SECONDS),
        "next_look_seconds": POLL_SECONDS[looks] if is_waiting and looks < len(POLL_SECONDS) else None,
        "next_looks": looks + 1,
    }
