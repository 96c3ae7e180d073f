"""Says what became of a subscription, in the words of docs/notices.md; each change once."""

from datetime import datetime

from billing.gateway.plan_facts import PlanInvoiceFacts, SubscriptionFacts
from billing.models import Invoice, Plan, Subscription, SubscriptionStatus
from billing.notice_kinds import NoticeEvent
from billing.services.notices import announce

_BEGUN = (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING)


def announce_change(*, before: Subscription | None, after: Subscription) -> None:
    """Announce how a subscription differs from what was known of it; nothing where nobody would notice."""
    if after.ended_at is not None:
        if before is None or before.ended_at is None:
            announce(
                event=NoticeEvent.SUBSCRIPTION_CANCELED,
                customer_id=after.customer_id,
                key=after.subscription_id,
                payload={
                    "subscription": after.subscription_id,
                    "plan": _name(after.plan),
                    "ended_at": _text(after.ended_at),
                    "free_from": _text(after.ended_at),
                },
                occurred_at=after.ended_at,
            )
            _announce_update(after, change="ended", before=after.plan)
        return
    change = _change_between(before, after)
    if change:
        _announce_update(after, change=change, before=before.plan if before else None)
    waiting = _waiting_between(before, after, change=change)
    if waiting:
        _announce_update(after, change=waiting, before=after.plan)


def announce_trial_end(*, customer_id: int, facts: SubscriptionFacts, plan: Plan | None) -> None:
    """Announce that a trial ends soon, once for each end; not where it was cancelled, or is over by now."""
    if facts.status != SubscriptionStatus.TRIALING or facts.cancel_at is not None:
        return
    announce(
        event=NoticeEvent.SUBSCRIPTION_TRIAL_ENDING,
        customer_id=customer_id,
        key=f"{facts.id}:{_text(facts.trial_end)}",
        payload={
            "subscription": facts.id,
            "plan": _name(plan),
            "trial_end": _text(facts.trial_end),
            "amount_minor": sum((item.unit_amount_minor or 0) * item.quantity for item in facts.items),
            "currency": facts.currency,
        },
    )


def announce_unpaid(*, invoice: Invoice, facts: PlanInvoiceFacts, plan: Plan | None, is_action_needed: bool) -> None:
    """Announce that an invoice of a plan could not be collected, once for each try.

    That the customer must act is a fact of its own: of one try, Stripe tells that it failed, too, and in either order.
    """
    announce(
        event=NoticeEvent.SUBSCRIPTION_PAYMENT_FAILED,
        customer_id=invoice.customer_id,
        key=f"{facts.id}:{facts.attempt_count}{':action' if is_action_needed else ''}",
        payload={
            "subscription": facts.subscription_id,
            "plan": _name(plan),
            "invoice": facts.number or facts.id,
            "amount_minor": facts.amount_due_minor,
            "currency": facts.currency,
            "reason": "",
            "next_try_at": _text(facts.next_try_at),
            "action_needed": is_action_needed,
            "url": facts.hosted_url,
        },
    )


def _announce_update(after: Subscription, *, change: str, before: Plan | None) -> None:
    next_plan = after.next_plan if change == "change_scheduled" else None
    announce(
        event=NoticeEvent.SUBSCRIPTION_UPDATED,
        customer_id=after.customer_id,
        key=f"{after.subscription_id}:{change}:{int(after.read_at.timestamp())}",
        payload={
            "subscription": after.subscription_id,
            "plan": _name(after.plan),
            "previous_plan": _name(before),
            "next_plan": _name(next_plan),
            "status": after.status,
            "change": change,
            "amount_minor": after.price_minor,
            "currency": after.currency,
            "interval": after.interval,
            "period_end": _text(after.period_end),
            "cancel_at": _text(after.cancel_at),
        },
    )


def _change_between(before: Subscription | None, after: Subscription) -> str:
    if before is None or before.status not in (*_BEGUN, SubscriptionStatus.PAST_DUE, SubscriptionStatus.PAUSED):
        if after.status in _BEGUN:
            return "trial_started" if after.status == SubscriptionStatus.TRIALING else "started"
        return ""
    if before.plan_id != after.plan_id and before.plan and after.plan:
        return "upgraded" if after.plan.rank >= before.plan.rank else "downgraded"
    if bool(before.cancel_at) != bool(after.cancel_at):
        return "cancellation_scheduled" if after.cancel_at else "resumed"
    was_paused = bool(before.pause_behavior) or before.status == SubscriptionStatus.PAUSED
    is_paused = bool(after.pause_behavior) or after.status == SubscriptionStatus.PAUSED
    if was_paused != is_paused:
        return "paused" if is_paused else "resumed"
    if bool(before.past_due_since) != bool(after.past_due_since):
        return "past_due" if after.past_due_since else "recovered"
    if before.period_end and after.period_end and after.period_end > before.period_end:
        return "renewed"
    return ""


def _waiting_between(before: Subscription | None, after: Subscription, *, change: str) -> str:
    """Whether a change began to wait for the end of the period, or was taken back; not whether it has happened."""
    known = (None, None) if before is None else (before.changes_at, before.next_plan_id)
    if after.changes_at is not None:
        return "" if known == (after.changes_at, after.next_plan_id) else "change_scheduled"
    if before is None or before.changes_at is None or change == "cancellation_scheduled":
        return ""
    return "change_unscheduled" if _prices(before) == _prices(after) else ""


def _prices(subscription: Subscription) -> set[str]:
    return {str(item["price"]) for item in subscription.items}


def _name(plan: Plan | None) -> str | None:
    return plan.name if plan else None


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
