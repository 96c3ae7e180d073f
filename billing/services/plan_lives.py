"""How long allowances live: the next one ends or keeps those before it, and a subscription that ended keeps its last.

What is done depends on the rows alone, so doing it again changes nothing, and the order of events does not matter.
"""

from decimal import Decimal

from django.utils import timezone

from billing.ledger.grant_lives import GrantLife, change_grant_lives
from billing.models import CreditGrant, PlanPeriod, Rollover, Subscription
from billing.money import ZERO


def settle_plan_lives(*, customer_id: int, subscription_id: str) -> None:
    """End, keep or shorten the open allowances of a subscription. Call under the lock on the customer's balance."""
    periods = PlanPeriod.objects.filter(subscription_id=subscription_id, target_credits__gt=0)
    latest = periods.select_related("plan").order_by("-ends_at").first()
    if latest is None:
        return
    grants = list(
        CreditGrant.objects.filter(customer_id=customer_id, plan_period__subscription_id=subscription_id, is_open=True)
        .select_related("plan_period")
        .order_by("-plan_period__ends_at", "-pk")
    )
    earlier = [grant for grant in grants if grant.plan_period_id != latest.pk]
    lives = [*_after_cancellation(subscription_id=subscription_id, grants=grants), *_roll_over(latest, grants, earlier)]
    if lives:
        change_grant_lives(customer_id=customer_id, lives=lives)


def _after_cancellation(*, subscription_id: str, grants: list[CreditGrant]) -> list[GrantLife]:
    """No payment is to come, so no days of grace: credits last to the end of their period."""
    ended = Subscription.objects.filter(subscription_id=subscription_id, ended_at__isnull=False).exists()
    if not ended:
        return []
    return [
        GrantLife(grant_id=grant.pk, expires_at=grant.plan_period.ends_at)
        for grant in grants
        if grant.plan_period is not None and grant.expires_at and grant.expires_at > grant.plan_period.ends_at
    ]


def _roll_over(latest: PlanPeriod, grants: list[CreditGrant], earlier: list[CreditGrant]) -> list[GrantLife]:
    """What becomes of earlier allowances, by the rule of the plan that came last; the newest are kept first."""
    rule = Rollover(latest.plan.rollover) if latest.plan else Rollover.NONE
    room: Decimal | None = ZERO if rule is Rollover.NONE else None
    if rule is Rollover.CAPPED and latest.plan and latest.plan.rollover_cap is not None:
        room = latest.plan.rollover_cap
    now = timezone.now()
    kept_until = max(
        (grant.expires_at for grant in grants if grant.plan_period_id == latest.pk and grant.expires_at), default=None
    )
    lives = []
    for grant in earlier:
        keep = grant.remaining if room is None else min(room, grant.remaining)
        if room is not None:
            room -= keep
        if not keep:
            ends_at = min(grant.expires_at or now, now)
        elif kept_until is not None:
            ends_at = max(grant.expires_at or kept_until, kept_until)
        else:
            ends_at = grant.expires_at or now
        if keep != grant.remaining or ends_at != grant.expires_at:
            # What ends as a whole lapses, so that holds keep their part of it.
            lives.append(GrantLife(grant_id=grant.pk, expires_at=ends_at, keep=keep or None))
    return lives
