"""`GET /api/v1/plans` and `GET /api/v1/subscription`: what can be subscribed to, and what the customer has."""

from __future__ import annotations

from typing import Any, Final

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing import conf
from billing.api.base import CallerView, read_query
from billing.api.lists import ListQuery, answer_list
from billing.api.parsing import StrictSerializer
from billing.api.shapes import time_shape
from billing.errors import InvalidRequest
from billing.models import BillingCustomer, Invoice, Plan
from billing.money import CREDIT_STEP
from billing.selectors.balances import read_balance
from billing.selectors.invoices import page_of_invoices
from billing.selectors.plan_limits import PlanLimits, limits_of_plan
from billing.selectors.plans import current_plan, plans_on_offer, read_plan_use
from billing.selectors.selling import sells_to

RECENT_INVOICES: Final = 5


class Plans(CallerView):
    """The plans on offer, from the smallest to the largest; none where nothing is sold."""

    scopes = {"GET": Scope.READ}

    def get(self, request: Request) -> Response:
        query = read_query(request, ListQuery)
        plans = plans_on_offer() if sells_to(self.acting_for()) else []
        if "starting_after" in query:
            plans = plans[_place_after(query["starting_after"], plans) :]
        limit = query["limit"]
        rows = [plan_shape(plan) for plan in plans[:limit]]
        return answer_list(request, rows=rows, has_more=len(plans) > limit)


class OneSubscription(CallerView):
    """The customer's plan, what it includes and limits, and the last invoices."""

    scopes = {"GET": Scope.READ}

    def get(self, request: Request) -> Response:
        read_query(request, StrictSerializer)
        return Response(subscription_shape(self.acting_for()))


def plan_shape(plan: Plan) -> dict[str, Any]:
    """A plan; `price_minor` is null where it is agreed with each customer."""
    credits = conf.free_plan_credits() if plan.is_free else plan.credits
    return {
        "slug": plan.slug,
        "object": "plan",
        "name": plan.name,
        "description": plan.description,
        "credits": str(credits.quantize(CREDIT_STEP)),
        "price_minor": plan.price_minor,
        "currency": plan.currency,
        "interval": plan.interval,
        "rollover": plan.rollover,
        "rollover_cap": None if plan.rollover_cap is None else str(plan.rollover_cap),
        "trial_days": plan.trial_days,
        "limits": limits_shape(limits_of_plan(plan)),
        "features": [str(feature) for feature in plan.features],
    }


def limits_shape(limits: PlanLimits) -> dict[str, Any]:
    """What a plan limits; null is not limited by it, and no models are all of them."""
    return {
        "requests_per_minute": limits.requests_per_minute,
        "max_call_tokens": limits.max_call_tokens,
        "models": list(limits.models_allowed),
        "max_api_keys": limits.max_api_keys,
    }


def subscription_shape(customer: BillingCustomer) -> dict[str, Any]:
    """The plan that counts now; `status` is Stripe's word, or `none` where no subscription counts."""
    now = timezone.now()
    current = current_plan(customer=customer, now=now)
    use = read_plan_use(customer=customer, current=current, now=now)
    balance = read_balance(customer_id=customer.pk, now=now)
    if balance is None:
        raise RuntimeError(f"The customer {customer.public_id} has no balance.")
    invoices, _ = page_of_invoices(customer_id=customer.pk, before_id=None, limit=RECENT_INVOICES)
    limits = limits_of_plan(current.plan) if current.plan else PlanLimits()
    return {
        "object": "subscription",
        "tier": current.tier,
        "status": current.status,
        "is_past_due": current.overdue is not None,
        "expires_at": time_shape(current.expires_at) if current.expires_at else None,
        "cancel_at": time_shape(current.cancel_at) if current.cancel_at else None,
        "trial_end": time_shape(current.trial_end) if current.trial_end else None,
        "next_plan": current.next_plan.slug if current.next_plan else None,
        "changes_at": time_shape(current.changes_at) if current.changes_at else None,
        "credits": {
            "available": str(balance.available.quantize(CREDIT_STEP)),
            "usage_this_month": str(use.used.quantize(CREDIT_STEP)),
            "limit": None if use.included is None else str(use.included.quantize(CREDIT_STEP)),
            "included_left": str(use.left.quantize(CREDIT_STEP)),
        },
        "limits": limits_shape(limits),
        "invoices": [invoice_shape(invoice) for invoice in invoices],
    }


def invoice_shape(invoice: Invoice) -> dict[str, Any]:
    """An invoice of a pack or a plan, as Stripe told it last; the total is with tax and without its credit notes."""
    return {
        "id": invoice.invoice_id,
        "object": "invoice",
        "number": invoice.number or None,
        "status": invoice.status,
        "total_minor": invoice.total_minor,
        "tax_minor": invoice.tax_minor,
        "credited_minor": sum(note.total_minor for note in invoice.credit_notes.all() if not note.is_void),
        "currency": invoice.currency,
        "created_at": time_shape(invoice.created_at),
        "url": invoice.hosted_url or None,
        "pdf_url": invoice.pdf_url or None,
    }


def _place_after(slug: str, plans: list[Plan]) -> int:
    for place, plan in enumerate(plans, start=1):
        if plan.slug == slug:
            return place
    raise InvalidRequest(
        field="starting_after", fault="no plan on offer is called so", remedy="Send the slug of a plan of this list."
    )
