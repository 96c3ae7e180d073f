"""Plans: compare them, subscribe to one, and the way into Stripe's portal, where a plan is changed and left."""

from datetime import datetime

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing import conf
from billing.errors import AlreadySubscribed, BillingError, InvalidRequest, NothingSold, PlanUnavailable
from billing.models import BillingCustomer, Subscription
from billing.selectors.plan_offers import offer_plans
from billing.selectors.plans import current_plan, find_plan_on_offer, read_plan_use, running_subscription
from billing.selectors.selling import sells_to
from billing.services.gateway import configured_gateway
from billing.services.portal import Flow, open_portal
from billing.views.access import customer_page
from billing.views.checkout import create_plan_checkout, hash_address, new_form_key
from billing.views.csp import checkout_csp, portal_csp
from billing.views.refusals import answer_refusal


@require_safe
@portal_csp
@customer_page
def plans(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The plans beside each other: which one it is, what it has used, and what choosing another would do and when."""
    now = timezone.now()
    current, running = current_plan(customer=customer, now=now), running_subscription(customer=customer)
    is_selling = sells_to(customer)
    context = {
        "current": current,
        "running": running,
        "use": read_plan_use(customer=customer, current=current, now=now),
        "offers": offer_plans(customer=customer, current=current, running=running, is_selling=is_selling),
        "is_selling": is_selling,
        "has_details": customer.details_saved_at is not None,
        "grace_ends_at": _grace_end(current.overdue),
        "contact": conf.contact_address(),
    }
    return render(request, "billing/plans.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@checkout_csp
@customer_page
def plan(request: HttpRequest, customer: BillingCustomer, plan: str) -> HttpResponseBase:
    """The checkout of a subscription; its form is sent to the same address and opens the checkout at Stripe."""
    if request.method == "POST":
        return create_plan_checkout(request, customer, plan)
    chosen = find_plan_on_offer(slug=plan)
    if not sells_to(customer):
        return answer_refusal(request, NothingSold())
    if chosen is None:
        return answer_refusal(request, PlanUnavailable(plan=plan))
    running = running_subscription(customer=customer)
    if running is not None:
        return answer_refusal(request, AlreadySubscribed(plan=running.plan.name if running.plan else "a plan"))
    has_subscribed = Subscription.objects.filter(customer=customer).exists()
    context = {
        "plan": chosen,
        "order": {},
        "trial_days": 0 if has_subscribed else chosen.trial_days,
        "form_key": new_form_key(request, customer),
        "publishable_key": conf.stripe_publishable_key(),
        "stripe_js_url": conf.stripe_js_url(),
    }
    return render(request, "billing/plan_checkout.html", context)


@require_POST
@customer_page
def portal(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """On to Stripe's portal: `flow` is what to begin with, `plan` what a change is to."""
    try:
        session = open_portal(
            customer=customer,
            flow=_read_flow(request.POST.get("flow", "")),
            plan=request.POST.get("plan", "")[:50],
            return_url=conf.site_url() + reverse("billing:plans"),
            network_hash=hash_address(request),
            gateway=configured_gateway(),
        )
    except BillingError as refusal:
        return answer_refusal(request, refusal)
    return HttpResponseRedirect(session.url, status=303)


def _read_flow(text: str) -> Flow:
    try:
        return Flow(text or Flow.MANAGE)
    except ValueError as error:
        known = ", ".join(Flow)
        raise InvalidRequest(field="flow", fault=f"{text[:40]!r} is unknown", remedy=f"Send one of {known}.") from error


def _grace_end(overdue: Subscription | None) -> datetime | None:
    """Until when an unpaid plan goes on."""
    if overdue is None:
        return None
    return (overdue.past_due_since or overdue.read_at) + conf.plan_payment_grace()
