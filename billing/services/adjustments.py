"""What staff do to a customer's credits by hand: give, take, write off; above the limits with a second person."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing import conf
from billing.errors import ApprovalEnded, IdempotencyConflict, InvalidRequest, NothingToWriteOff
from billing.kinds import EntryKind
from billing.ledger.locking import lock_accounts
from billing.models import Adjustment, BillingCustomer, Decision, ReasonCode
from billing.money import ZERO, parse_credits
from billing.notice_kinds import NoticeEvent
from billing.services.adjustment_checks import check_is_possible, check_values
from billing.services.adjustment_limits import find_limit, lock_day
from billing.services.approvals import (
    check_may_decide,
    check_not_own,
    check_note,
    check_permission,
    check_waits,
    is_overdue,
    write_decision,
)
from billing.services.audit import record_audit
from billing.services.notices import announce
from billing.services.posting import Posting, post_many

MAY_REQUEST, MAY_DECIDE = "billing.adjust_credits", "billing.approve_credits"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedAdjustment:
    """An adjustment, and whether its form had been sent before."""

    adjustment: Adjustment
    is_replay: bool


def request_adjustment(
    *,
    customer: BillingCustomer,
    amount: Decimal,
    reason_code: str,
    note: str,
    form_key: str,
    actor: User,
    address: str,
    ticket: str = "",
    may_leave_debt: bool = False,
) -> RequestedAdjustment:
    """Give (a positive amount), take, or write off (reason code `write_off`, positive) credits of a customer.

    Within the limits it is posted in this database transaction; above any of them it waits for a second person, and
    `limit_reason` says which. One form of one person acts once: sent again, it gives its first adjustment.

    Raises:
        NotPermitted, OwnAccount: not by this person, or not for this customer.
        InvalidAmount, InvalidRequest: a value cannot be used; it is named.
        InsufficientCredits: a debit exceeds what is available and must not leave a debt.
        NothingToWriteOff: there is no debt.
        IdempotencyConflict: the form was sent before with another content.
    """
    check_permission(actor=actor, permission=MAY_REQUEST)
    wish = Adjustment(
        customer=customer,
        amount=parse_credits(amount),
        is_write_off=reason_code == ReasonCode.WRITE_OFF,
        may_leave_debt=may_leave_debt,
        form_key=form_key,
        requested_by=actor,
        reason_code=reason_code,
        note=check_note(note=note),
        ticket=ticket.strip(),
    )
    check_values(wish=wish)
    check_not_own(actor=actor, customer=customer)
    with transaction.atomic():
        now = lock_day()
        first = Adjustment.objects.filter(requested_by=actor, form_key=form_key).first()
        if first is not None:
            return RequestedAdjustment(adjustment=_same_wish(first, wish), is_replay=True)
        _apply_limits(wish, now=now)
        check_is_possible(wish=wish, now=now)
        if not wish.needs_approval:
            _post(wish)
        wish.save()
        _audit("request", wish, actor=actor, reason=wish.note, address=address)
    log.info("adjustment_requested", adjustment=wish.public_id, actor_id=actor.pk, waits=wish.needs_approval)
    return RequestedAdjustment(adjustment=Adjustment.objects.get(pk=wish.pk), is_replay=False)


def approve_adjustment(*, adjustment_id: str, actor: User, address: str, note: str = "") -> Adjustment:
    """Post what a colleague asked for. Of several who decide at once, the first one does.

    A write-off gives up what is owed at this moment, at most what was asked for.

    Raises:
        NotPermitted, SecondPersonNeeded, OwnAccount: not by this person.
        ApprovalEnded: it was decided before, or its time is over.
        InsufficientCredits, NothingToWriteOff: it cannot be posted now; it goes on waiting.
    """
    return _decide(
        adjustment_id, Decision.APPROVED, actor=actor, note=check_note(note=note, is_needed=False), at=address
    )


def decline_adjustment(*, adjustment_id: str, actor: User, address: str, note: str) -> Adjustment:
    """Refuse what a colleague asked for, and say why.

    Raises:
        NotPermitted, SecondPersonNeeded, OwnAccount: not by this person.
        ApprovalEnded: it was decided before, or its time is over.
        InvalidRequest: no note.
    """
    return _decide(adjustment_id, Decision.DECLINED, actor=actor, note=check_note(note=note), at=address)


def expire_adjustments(*, now: datetime, limit: int = 1000) -> int:
    """End what nobody has decided in time; gives how many. What somebody decides on right now is left to them."""
    with transaction.atomic():
        waiting = Adjustment.objects.filter(needs_approval=True, decision=Decision.WAITING, decide_until__lte=now)
        overdue = list(waiting.select_for_update(skip_locked=True).order_by("decide_until")[:limit])
        for adjustment in overdue:
            _expire(adjustment, now=now)
    return len(overdue)


def _decide(adjustment_id: str, decision: Decision, *, actor: User, note: str, at: str) -> Adjustment:
    with transaction.atomic():
        rows = Adjustment.objects.select_for_update(of=("self",)).select_related("customer")
        adjustment = rows.filter(public_id=adjustment_id).first()
        if adjustment is None:
            raise InvalidRequest(field="adjustment", fault="there is none of that id", remedy="Send an adj_… id.")
        now = timezone.now()
        check_may_decide(approval=adjustment, customer=adjustment.customer, actor=actor, permission=MAY_DECIDE)
        check_waits(approval=adjustment, name=adjustment.public_id)
        if is_late := is_overdue(approval=adjustment, now=now):
            _expire(adjustment, now=now)
        else:
            fields = write_decision(approval=adjustment, decision=decision, actor=actor, note=note, now=now)
            if decision is Decision.APPROVED:
                _post(adjustment)
            adjustment.save(update_fields=[*fields, "entry"])
            verb = "approve" if decision is Decision.APPROVED else "decline"
            _audit(verb, adjustment, actor=actor, reason=note, address=at)
    if is_late:  # told after the commit that wrote it down
        raise ApprovalEnded(request=adjustment_id, decision=Decision.EXPIRED.label.lower())
    log.info("adjustment_decided", adjustment=adjustment_id, actor_id=actor.pk, decision=decision)
    return Adjustment.objects.get(pk=adjustment.pk)


def _apply_limits(wish: Adjustment, *, now: datetime) -> None:
    """Put on the row whether a second person is needed, why, and until when. Call under the lock of the day."""
    wish.requested_at = now
    wish.limit_reason = find_limit(
        actor_id=wish.requested_by_id,
        amount=wish.amount,
        is_write_off=wish.is_write_off,
        may_leave_debt=wish.may_leave_debt,
        now=now,
    )
    wish.needs_approval = bool(wish.limit_reason)
    wish.decide_until = now + conf.staff_approval_window() if wish.needs_approval else None


def _same_wish(first: Adjustment, wish: Adjustment) -> Adjustment:
    """The first adjustment of a form, if it was for the same."""
    names = ("customer_id", "amount", "reason_code", "note", "ticket", "may_leave_debt")
    if any(getattr(first, name) != getattr(wish, name) for name in names):
        raise IdempotencyConflict(key=wish.form_key)
    return first


def _post(adjustment: Adjustment) -> None:
    """Post the adjustment's entry and link it; the caller saves the row in the same database transaction."""
    amount = adjustment.amount
    if adjustment.is_write_off:
        accounts, _ = lock_accounts(customer_ids=[adjustment.customer_id])
        amount = min(amount, max(ZERO, -accounts[adjustment.customer_id].posted))
        if not amount:
            raise NothingToWriteOff
    posting = Posting(
        customer_id=adjustment.customer_id,
        kind=EntryKind.WRITE_OFF if adjustment.is_write_off else EntryKind.ADJUSTMENT,
        amount=amount,
        key=f"staff:{adjustment.public_id}",
        description=adjustment.note,
        source_type="adjustment",
        source_id=adjustment.public_id,
        may_leave_debt=adjustment.may_leave_debt,
    )
    adjustment.entry = post_many(postings=[posting])[0].entry
    announce(
        event=NoticeEvent.ADJUSTMENT_MADE,
        customer_id=adjustment.customer_id,
        key=adjustment.public_id,
        payload={
            "adjustment": adjustment.public_id,
            "amount": f"{adjustment.entry.amount:.6f}",
            "balance_after": f"{adjustment.entry.balance_after:.6f}",
            "reason": adjustment.note,
        },
    )


def _expire(adjustment: Adjustment, *, now: datetime) -> None:
    fields = write_decision(approval=adjustment, decision=Decision.EXPIRED, actor=None, note="", now=now)
    adjustment.save(update_fields=fields)
    _audit("expire", adjustment, actor=None, reason="Nobody decided in time.", address="")
    log.warning("adjustment_expired", adjustment=adjustment.public_id)


def _audit(verb: str, adjustment: Adjustment, *, actor: User | None, reason: str, address: str) -> None:
    """Write down what was done, with the balance before and after where credits moved."""
    entry = adjustment.entry
    before: dict[str, Any] = {"state": None if verb == "request" else "waiting"}
    after: dict[str, Any] = {
        "state": adjustment.decision if adjustment.decision else "waiting",
        "amount": str(adjustment.amount),
        "reason_code": adjustment.reason_code,
    }
    if entry is not None:
        before["posted"] = str(entry.balance_after - entry.amount)
        after |= {"state": "posted", "moved": str(entry.amount), "posted": str(entry.balance_after)}
    if adjustment.limit_reason:
        after["limit_reason"] = adjustment.limit_reason
    record_audit(
        actor=actor,
        action=f"adjustment.{verb}",
        target=adjustment,
        before=before,
        after=after,
        reason=reason,
        address=address,
        customer=adjustment.customer,
    )
