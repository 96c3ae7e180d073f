"""What a customer's plan limits: requests a minute, tokens of a call, models, API keys.

Asked on every request, so a process remembers the answer for `REMEMBERED_SECONDS`: a plan that was changed holds
everywhere after that time at the latest. Nothing that is spent depends on it.
"""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.utils import timezone

from accounts.models import User
from billing import conf
from billing.errors import CallAbovePlan, ModelNotInPlan
from billing.models import BillingCustomer, Plan
from billing.models.plan import FREE_SLUG

REMEMBERED_SECONDS: Final = 3.0
_MOST_REMEMBERED: Final = 10_000
# A subscription's plan before Free, which customers of products that bill through us are not on.
_LIMITS: Final = """
    SELECT plan.slug, plan.name, plan.requests_per_minute, plan.max_call_tokens, plan.models_allowed::text,
        plan.max_api_keys
    FROM billing_plan AS plan
    LEFT JOIN billing_subscription AS running ON running.plan_id = plan.id AND running.customer_id = %(customer)s
        AND running.ended_at IS NULL AND running.quantity > 0 AND (running.status IN ('trialing', 'active') OR (
            running.status = 'past_due' AND coalesce(running.past_due_since, running.read_at) > %(overdue_from)s))
    WHERE running.id IS NOT NULL OR (plan.slug = 'free' AND EXISTS (
        SELECT FROM billing_billingcustomer WHERE id = %(customer)s AND user_id IS NOT NULL))
    ORDER BY running.id IS NULL, plan.rank DESC, plan.id DESC LIMIT 1
"""
_remembered: dict[int, tuple[float, "PlanLimits"]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """The limits of one plan; what is None or empty is not limited by it."""

    plan: str = ""
    name: str = ""
    requests_per_minute: int | None = None
    max_call_tokens: int | None = None
    models_allowed: tuple[str, ...] = ()
    max_api_keys: int | None = None

    def allows_model(self, model: str) -> bool:
        return not self.models_allowed or model in self.models_allowed


def limits_of(*, customer_id: int) -> PlanLimits:
    """The limits of the customer's plan, as of a few seconds ago at most."""
    known, moment = _remembered.get(customer_id), time.monotonic()
    if known is not None and moment < known[0]:
        return known[1]
    limits = read_limits(customer_id=customer_id, now=timezone.now())
    if len(_remembered) >= _MOST_REMEMBERED:
        _remembered.clear()
    _remembered[customer_id] = (moment + REMEMBERED_SECONDS, limits)
    return limits


def read_limits(*, customer_id: int, now: datetime) -> PlanLimits:
    """The limits of the customer's plan now, which is that of `billing.selectors.plans.current_plan`. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_LIMITS, {"customer": customer_id, "overdue_from": now - conf.plan_payment_grace()})
        found = cursor.fetchone()
    if found is None:
        return PlanLimits()
    plan, name, requests, tokens, models, keys = found
    return PlanLimits(
        plan=plan,
        name=name,
        requests_per_minute=requests,
        max_call_tokens=tokens,
        models_allowed=tuple(json.loads(models)),
        max_api_keys=keys,
    )


def limits_of_plan(plan: Plan) -> PlanLimits:
    """What a plan limits."""
    return PlanLimits(
        plan=plan.slug,
        name=plan.name,
        requests_per_minute=plan.requests_per_minute,
        max_call_tokens=plan.max_call_tokens,
        models_allowed=tuple(plan.models_allowed),
        max_api_keys=plan.max_api_keys,
    )


def check_call(*, customer_id: int, model: str, tokens: int) -> int | None:
    """Refuse a call that the customer's plan has no room for. `tokens` are those of the question and the answer.

    Gives how many they may be; None where the plan does not say.

    Raises:
        ModelNotInPlan, CallAbovePlan: nothing is held.
    """
    limits = limits_of(customer_id=customer_id)
    if not limits.allows_model(model):
        raise ModelNotInPlan(model=model, plan=limits.name, models=list(limits.models_allowed))
    if limits.max_call_tokens is not None and tokens > limits.max_call_tokens:
        raise CallAbovePlan(plan=limits.name, limit=limits.max_call_tokens, tokens=tokens)
    return limits.max_call_tokens


def most_api_keys(*, user: User) -> int | None:
    """How many live keys the user's plan allows; None where it says nothing. Staff make keys as they need them."""
    if user.is_staff:
        return None
    customer_id = BillingCustomer.objects.filter(user=user).values_list("pk", flat=True).first()
    if customer_id is None:  # never seen by billing, so on Free
        free = Plan.objects.filter(slug=FREE_SLUG).first()
        return free.max_api_keys if free else None
    return read_limits(customer_id=customer_id, now=timezone.now()).max_api_keys


def key_requests_per_minute(*, customer_id: int) -> int:
    """Requests a minute for one API key of the customer; 0 is no limit."""
    limit = limits_of(customer_id=customer_id).requests_per_minute
    return conf.api_requests_per_minute() if limit is None else limit


def forget_limits() -> None:
    """Read all limits anew."""
    _remembered.clear()
