"""How long allowances live: the next one ends or keeps those before it, and a subscription that ends keeps its last.

Each is done once, when it happens: what comes back to an old allowance later has a life of its own (rule 10).
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db.models import Max, Q
from django.utils import timezone

from billing import conf
from billing.ledger.grant_lives import GrantLife, change_grant_lives
from billing.models import CreditGrant, InvoiceStatus, PlanPeriod, Rollover, Subscription
from billing.money import ZERO

_PAID = Q(lines__invoice__status=InvoiceStatus.PAID, lines__amount_minor__gt=0)


def settle_plan_lives(*, customer_id: int, subscription_id: str) -> None:
    """Let the newest allowance of a subscription end or keep those before it, by the rule of its plan.

    Those that came before it once, when it comes; those of an earlier period whose invoice comes late, when they come.
    Call under the lock on the customer's balance.
    """
    latest = _latest(subscription_id)
    if latest is None:
        return
    grants = _open_grants(customer_id=customer_id, subscription_id=subscription_id)
    earlier = [grant for grant in grants if grant.plan_period_id != latest.pk]
    since = latest.succeeded_at
    judged = [grant for grant in earlier if since is None or grant.created_at >= since]
    kept_already = sum((grant.remaining for grant in earlier if grant not in judged), ZERO)
    own = [grant.expires_at for grant in grants if grant.plan_period_id == latest.pk and grant.expires_at]
    kept_until = max(own) if own else life_of(latest)  # its own may be used up already
    lives = _roll_over(judged, room=_room(latest, kept_already=kept_already), kept_until=kept_until)
    if lives:
        change_grant_lives(customer_id=customer_id, lives=lives)
    if since is None or judged:
        latest.succeeded_at = timezone.now()
        latest.save(update_fields=["succeeded_at"])


def end_with_subscription(*, customer_id: int, subscription_id: str) -> None:
    """No payment is to come, so no days of grace: credits last to the end of the newest period that was paid.

    Call once, when the subscription ends, under the lock on the customer's balance.
    """
    latest = _latest(subscription_id)
    if latest is None:
        return
    with_grace = latest.ends_at + conf.plan_credits_grace()
    lives = [
        GrantLife(grant_id=grant.pk, expires_at=latest.ends_at)
        for grant in _open_grants(customer_id=customer_id, subscription_id=subscription_id)
        if grant.expires_at and latest.ends_at < grant.expires_at <= with_grace
    ]
    if lives:
        change_grant_lives(customer_id=customer_id, lives=lives)


def life_of(period: PlanPeriod) -> datetime:
    """An allowance outlives its period by some days, in which the next payment may come; not where none comes."""
    has_ended = Subscription.objects.filter(subscription_id=period.subscription_id, ended_at__isnull=False).exists()
    return period.ends_at if has_ended else period.ends_at + conf.plan_credits_grace()


def _latest(subscription_id: str) -> PlanPeriod | None:
    """The period whose paid line begins last: it need not be the one that ends last, where a year became a month."""
    periods = PlanPeriod.objects.filter(subscription_id=subscription_id, target_credits__gt=0)
    periods = periods.select_related("plan").annotate(begun_at=Max("lines__starts_at", filter=_PAID))
    return periods.filter(begun_at__isnull=False).order_by("-begun_at", "-ends_at").first()


def _open_grants(*, customer_id: int, subscription_id: str) -> list[CreditGrant]:
    """The newest period's first."""
    grants = CreditGrant.objects.filter(
        customer_id=customer_id, plan_period__subscription_id=subscription_id, is_open=True
    )
    return list(grants.select_related("plan_period").order_by("-plan_period__ends_at", "-pk"))


def _room(latest: PlanPeriod, *, kept_already: Decimal) -> Decimal | None:
    """How much of earlier allowances may stay; None: all of it."""
    rule = Rollover(latest.plan.rollover) if latest.plan else Rollover.NONE
    if rule is Rollover.UNLIMITED:
        return None
    cap = latest.plan.rollover_cap if latest.plan and rule is Rollover.CAPPED else None
    return max(ZERO, (cap or ZERO) - kept_already)


def _roll_over(earlier: Sequence[CreditGrant], *, room: Decimal | None, kept_until: datetime) -> list[GrantLife]:
    """The newest are kept first, as long as the new allowance lasts."""
    now, lives = timezone.now(), []
    for grant in earlier:
        keep = grant.remaining if room is None else min(room, grant.remaining)
        if room is not None:
            room -= keep
        if not keep:  # what ends as a whole lapses, so that holds keep their part of it
            lives.append(GrantLife(grant_id=grant.pk, expires_at=min(grant.expires_at or now, now)))
            continue
        ends_at = max(grant.expires_at or kept_until, kept_until)
        lives.append(GrantLife(grant_id=grant.pk, expires_at=ends_at, keep=keep))
    return lives
