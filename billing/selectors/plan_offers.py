"""The plans as the plans page compares them: what each includes, and what choosing it would do."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from billing import conf
from billing.models import BillingCustomer, Plan, Subscription
from billing.models.plan import PlanInterval
from billing.selectors.plan_limits import PlanLimits, limits_of_plan
from billing.selectors.plans import CurrentPlan, plans_on_offer


class Step(StrEnum):
    """What one can do about a plan."""

    NONE = "none"
    SUBSCRIBE = "subscribe"
    UPGRADE = "upgrade"  # at once, prorated
    DOWNGRADE = "downgrade"  # at the end of the period
    CANCEL = "cancel"  # to Free, at the end of the period
    KEEP = "keep"  # take the change to it back, which waits for the end of the period
    TALK = "talk"  # its price is agreed


_CHANGES = (Step.UPGRADE, Step.DOWNGRADE, Step.CANCEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOffer:
    """A plan beside what one has."""

    plan: Plan
    limits: PlanLimits
    credits: Decimal
    is_current: bool
    is_ending: bool
    is_unpaid: bool  # subscribed to, and without effect until it is paid
    follows: bool  # what one has when the running plan has ended
    is_held: bool  # another change waits, which is to be taken back first
    step: Step
    trial_days: int


def offer_plans(
    *, customer: BillingCustomer, current: CurrentPlan, running: Subscription | None, is_selling: bool
) -> list[PlanOffer]:
    """All plans on offer, the current one and the one that follows it, from the smallest to the largest."""
    plans = plans_on_offer()
    waiting = running if running is not None and _has_change_ahead(running) else None
    for other in (current.plan, waiting.next_plan if waiting else None):
        if other is not None and other not in plans:
            plans = sorted([*plans, other], key=lambda plan: (plan.rank, plan.pk))
    is_new = not Subscription.objects.filter(customer=customer).exists()
    steps = [_step(plan=plan, current=current, running=running, is_selling=is_selling) for plan in plans]
    return [
        PlanOffer(
            plan=plan,
            limits=limits_of_plan(plan),
            credits=conf.free_plan_credits() if plan.is_free else plan.credits,
            is_current=current.plan is not None and plan.pk == current.plan.pk,
            is_unpaid=_is_unpaid(plan=plan, current=current),
            follows=plan.is_free and running is not None and running.cancel_at is not None,
            is_ending=running is not None and plan.pk == running.plan_id and _ends(running),
            is_held=waiting is not None and step in _CHANGES,
            step=step,
            trial_days=plan.trial_days if is_new else 0,
        )
        for plan, step in zip(plans, steps, strict=True)
    ]


def _is_unpaid(*, plan: Plan, current: CurrentPlan) -> bool:
    """Whether a payment for the plan is past due for so long that another one counts."""
    overdue = current.overdue
    return overdue is not None and overdue.plan_id == plan.pk and current.subscription != overdue


def _step(*, plan: Plan, current: CurrentPlan, running: Subscription | None, is_selling: bool) -> Step:
    """What the plan's card offers. Leaving, and keeping what one has, goes on while nothing is sold."""
    has = running.plan if running is not None else current.plan
    if has is not None and plan.pk == has.pk:
        return Step.NONE
    if running is not None and _has_change_ahead(running) and plan.pk == running.next_plan_id:
        return Step.KEEP
    if plan.is_free:
        return Step.CANCEL if running is not None and running.cancel_at is None else Step.NONE
    if not is_selling or not plan.is_active:
        return Step.NONE
    if plan.is_by_agreement:
        return Step.TALK
    if running is None:
        return Step.SUBSCRIBE
    return Step.DOWNGRADE if _waits(plan, running=running) else Step.UPGRADE


def _has_change_ahead(running: Subscription) -> bool:
    """Whether a change waits. Of one that is cancelled, the end is what comes."""
    return running.changes_at is not None and running.cancel_at is None


def _ends(running: Subscription) -> bool:
    """Whether the running plan ends with its period: by a cancellation, or because another one follows."""
    follows = running.next_plan_id if _has_change_ahead(running) else None
    return running.cancel_at is not None or follows not in (None, running.plan_id)


def _waits(plan: Plan, *, running: Subscription) -> bool:
    """Whether the portal lets a change wait for the period's end, as it is set up: a lower price, a shorter period."""
    shortens = (running.interval, plan.interval) == (PlanInterval.YEAR, PlanInterval.MONTH)
    return shortens or (plan.price_minor or 0) * running.quantity < running.price_minor
