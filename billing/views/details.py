"""Whom invoices are made out to: what Stripe has on file, and the form that changes it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.details_form import BillingDetailsForm
from billing.errors import InvalidRequest, RateLimited, StripeRefused, StripeUnavailable
from billing.models import BillingCustomer
from billing.services.billing_details import read_billing_details, save_billing_details
from billing.services.gateway import configured_gateway
from billing.services.portal import count_visit
from billing.views.access import customer_page
from billing.views.checkout import hash_address
from billing.views.csp import portal_csp
from billing.views.refusals import log_stripe_failure


@require_http_methods(["GET", "HEAD", "POST"])
@portal_csp
@customer_page
def details(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The form with what is on file; what is refused comes back as it was typed, with the reason at its field."""
    if request.method == "POST":
        return _save(request, customer)
    try:
        found = read_billing_details(customer=customer, gateway=configured_gateway())
    except StripeUnavailable as failure:
        log_stripe_failure(failure)
        return render(request, "billing/details.html", {"is_unknown": True}, status=503)
    email = request.user.email if request.user.is_authenticated else ""
    form = BillingDetailsForm(initial=BillingDetailsForm.initial_of(found, email=email))
    return render(request, "billing/details.html", {"form": form, "others": found.tax_ids[1:] if found else ()})


@require_safe
@customer_page
def details_on_file(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The part of the settings that says what is on file. Loaded by itself: Stripe may be slow, or away."""
    try:
        found = read_billing_details(customer=customer, gateway=configured_gateway())
    except StripeUnavailable:
        return render(request, "billing/includes/details_on_file.html", {"is_unknown": True})
    return render(request, "billing/includes/details_on_file.html", {"found": found})


def _save(request: HttpRequest, customer: BillingCustomer) -> HttpResponse:
    form = BillingDetailsForm(request.POST)
    if not form.is_valid():
        return render(request, "billing/details.html", {"form": form}, status=400)
    status = 400
    try:
        count_visit(customer=customer, network_hash=hash_address(request))
        save_billing_details(customer=customer, details=form.details, gateway=configured_gateway())
    except InvalidRequest as refusal:
        form.add_error(refusal.field, refusal.remedy)
    except RateLimited:
        form.add_error(None, _("That was often within a minute. Wait a minute and save again."))
        status = 429
    except StripeUnavailable as failure:
        log_stripe_failure(failure)
        form.add_error(None, _("Stripe does not answer. What you typed is still here: save it again in a moment."))
        status = 503
    except StripeRefused as refusal:
        log_stripe_failure(refusal)
        form.add_error(None, _("Stripe does not take these details. Look them over, or write to us."))
    else:
        messages.success(request, _("Saved. Invoices from now on are made out so."))
        return redirect("billing:settings")
    return render(request, "billing/details.html", {"form": form}, status=status)
