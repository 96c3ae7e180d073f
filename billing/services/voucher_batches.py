"""What staff do with vouchers: make codes in bulk, decide on those above the limits, disable them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing import conf
from billing.errors import ApprovalEnded, IdempotencyConflict, InvalidAmount, InvalidRequest, SecondPersonNeeded
from billing.models import Decision, ReasonCode, VoucherBatch, VoucherBatchState, VoucherCode
from billing.money import MAX_CREDITS, parse_positive_credits
from billing.services.adjustment_limits import find_limit, lock_day
from billing.services.approvals import check_note, check_permission, check_waits, is_overdue, write_decision
from billing.services.audit import record_audit
from billing.services.voucher_codes import hash_code, new_code

MAY_ISSUE, MAY_DECIDE = "billing.issue_vouchers", "billing.approve_credits"
MAX_CODES, MAX_USES, MAX_LIFETIME_DAYS = 5_000, 1_000_000, 3_650
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherTerms:
    """What each code brings, how often, to whom, and when."""

    name: str
    credits: Decimal
    code_count: int
    valid_from: datetime | None = None  # None: from when they are made
    uses_per_code: int = 1
    uses_per_customer: int = 1
    valid_until: datetime | None = None
    lifetime_days: int | None = None
    credits_expire_at: datetime | None = None

    @property
    def total_credits(self) -> Decimal:
        """What all uses of all codes would bring."""
        return self.credits * self.code_count * self.uses_per_code


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeVouchers:
    """A batch and its codes, which nobody can read again. A form that was sent before gives no codes."""

    batch: VoucherBatch
    codes: Sequence[str] = field(default=(), repr=False)


def make_vouchers(*, terms: VoucherTerms, note: str, form_key: str, actor: User, address: str) -> MadeVouchers:
    """Make the codes of a batch. Above the limits on adjustments they work only after a second person approves.

    Against the limits counts what all uses of all codes would bring, on the day on which they are made.

    Raises:
        NotPermitted: not by this person.
        InvalidAmount, InvalidRequest: a term cannot be used; it is named.
        IdempotencyConflict: the form was sent before with other terms.
    """
    check_permission(actor=actor, permission=MAY_ISSUE)
    why = check_note(note=note)
    check_terms(terms=terms, now=timezone.now())
    if not 0 < len(form_key) <= 100:
        raise InvalidRequest(field="form_key", fault="it is empty or too long", remedy="Open the form again.")
    with transaction.atomic(durable=True):
        now = lock_day()
        first = VoucherBatch.objects.filter(requested_by=actor, form_key=form_key).first()
        if first is not None:
            return MadeVouchers(batch=_same_terms(first, terms))
        batch = _new_batch(terms, note=why, form_key=form_key, actor=actor, now=now)
        codes = [new_code() for _ in range(terms.code_count)]
        VoucherCode.objects.bulk_create(
            [
                VoucherCode(batch=batch, code_hash=hash_code(code), last_four=code[-4:], uses_left=terms.uses_per_code)
                for code in codes
            ],
            batch_size=1_000,
        )
        _audit("make", batch, actor=actor, reason=why, address=address)
    log.info("vouchers_made", batch=batch.public_id, count=len(codes), waits=batch.needs_approval)
    return MadeVouchers(batch=VoucherBatch.objects.get(pk=batch.pk), codes=codes)


def check_terms(*, terms: VoucherTerms, now: datetime) -> None:
    """Refuse terms that make no sense.

    Raises:
        InvalidAmount, InvalidRequest: names the field.
    """
    parse_positive_credits(terms.credits, field="credits")
    if not terms.name.strip() or len(terms.name) > 100 or "\0" in terms.name:
        raise InvalidRequest(field="name", fault="it is empty or too long", remedy="Send 1 to 100 characters.")
    bounds = (
        ("code_count", terms.code_count, MAX_CODES),
        ("uses_per_code", terms.uses_per_code, MAX_USES),
        ("uses_per_customer", terms.uses_per_customer, terms.uses_per_code),
        ("lifetime_days", 1 if terms.lifetime_days is None else terms.lifetime_days, MAX_LIFETIME_DAYS),
    )
    for name, value, most in bounds:
        if not 1 <= value <= most:
            raise InvalidRequest(field=name, fault=f"{value} cannot be", remedy=f"Send 1 to {most}.")
    if terms.total_credits > MAX_CREDITS:
        raise InvalidAmount(field="credits", fault=f"all uses together bring more than {MAX_CREDITS:,f} credits")
    begin = max(terms.valid_from or now, now)
    if terms.valid_until is not None and terms.valid_until <= begin:
        remedy = "Send a later one, or none."
        raise InvalidRequest(field="valid_until", fault="it is not after the beginning and now", remedy=remedy)
    if terms.credits_expire_at is None:
        return
    if terms.lifetime_days is not None:
        raise InvalidRequest(field="lifetime_days", fault="there is a moment, too", remedy="Send one of the two.")
    if terms.credits_expire_at <= (terms.valid_until or begin):
        fault = "the credits would expire before their codes"
        raise InvalidRequest(field="credits_expire_at", fault=fault, remedy="Send a later one.")


def approve_vouchers(*, batch_id: str, actor: User, address: str, note: str = "") -> VoucherBatch:
    """Let the codes work that a colleague has made. Of several who decide at once, the first one does.

    Raises:
        NotPermitted, SecondPersonNeeded: not by this person.
        ApprovalEnded: it was decided before, or its time is over.
    """
    words = check_note(note=note, is_needed=False)
    return _decide(batch_id, Decision.APPROVED, actor=actor, note=words, address=address)


def decline_vouchers(*, batch_id: str, actor: User, address: str, note: str) -> VoucherBatch:
    """Refuse them and say why: the codes never work.

    Raises:
        NotPermitted, SecondPersonNeeded: not by this person.
        ApprovalEnded: it was decided before, or its time is over.
        InvalidRequest: no note.
    """
    return _decide(batch_id, Decision.DECLINED, actor=actor, note=check_note(note=note), address=address)


def disable_vouchers(*, batch_id: str, actor: User, address: str, reason: str) -> VoucherBatch:
    """End a batch for good: its codes are unknown from now on. What was redeemed stays.

    Raises:
        NotPermitted: not by this person.
        ApprovalEnded: it is not active.
    """
    if not may_disable(actor=actor):
        check_permission(actor=actor, permission=MAY_ISSUE)
    why = check_note(note=reason, field="reason")
    with transaction.atomic():
        batch = _lock(batch_id)
        if batch.state != VoucherBatchState.ACTIVE:
            raise ApprovalEnded(request=batch.public_id, decision=VoucherBatchState(batch.state).label.lower())
        batch.disabled_at = timezone.now()
        batch.save(update_fields=["disabled_at"])
        _audit("disable", batch, actor=actor, reason=why, address=address)
    return VoucherBatch.objects.get(pk=batch.pk)


def may_disable(*, actor: User) -> bool:
    """Whoever may make vouchers or approve them may stop them."""
    return actor.has_perm(MAY_ISSUE) or actor.has_perm(MAY_DECIDE)


def check_may_decide_on(*, batch: VoucherBatch, actor: User) -> None:
    """Refuse who may not decide on these vouchers, or what waits for nobody.

    Raises:
        NotPermitted, SecondPersonNeeded, ApprovalEnded: not by this person, or not any more.
    """
    check_permission(actor=actor, permission=MAY_DECIDE)
    if batch.requested_by_id == actor.pk:
        raise SecondPersonNeeded
    check_waits(approval=batch, name=batch.public_id)


def expire_voucher_batches(*, now: datetime, limit: int = 1000) -> int:
    """End what nobody has decided in time; gives how many. What somebody decides on right now is left to them."""
    with transaction.atomic():
        waiting = VoucherBatch.objects.filter(needs_approval=True, decision=Decision.WAITING, decide_until__lte=now)
        overdue = list(waiting.select_for_update(skip_locked=True).order_by("decide_until")[:limit])
        for batch in overdue:
            _expire(batch, now=now)
    return len(overdue)


def _decide(batch_id: str, decision: Decision, *, actor: User, note: str, address: str) -> VoucherBatch:
    with transaction.atomic():
        batch, now = _lock(batch_id), timezone.now()
        check_may_decide_on(batch=batch, actor=actor)
        if is_late := is_overdue(approval=batch, now=now):
            _expire(batch, now=now)
        else:
            batch.save(update_fields=write_decision(approval=batch, decision=decision, actor=actor, note=note, now=now))
            verb = "approve" if decision is Decision.APPROVED else "decline"
            _audit(verb, batch, actor=actor, reason=note, address=address)
    if is_late:  # told after the commit that wrote it down
        raise ApprovalEnded(request=batch_id, decision=Decision.EXPIRED.label.lower())
    log.info("vouchers_decided", batch=batch_id, actor_id=actor.pk, decision=decision)
    return VoucherBatch.objects.get(pk=batch.pk)


def _lock(batch_id: str) -> VoucherBatch:
    batch = VoucherBatch.objects.select_for_update().filter(public_id=batch_id).first()
    if batch is None:
        raise InvalidRequest(field="batch", fault="there is none of that id", remedy="Send a vb_… id.")
    return batch


def _new_batch(terms: VoucherTerms, *, note: str, form_key: str, actor: User, now: datetime) -> VoucherBatch:
    """The row, with whether a second person is needed. Call under the lock of the day."""
    limit_reason = find_limit(
        actor_id=actor.pk, amount=terms.total_credits, is_write_off=False, may_leave_debt=False, now=now
    )
    return VoucherBatch.objects.create(
        **{**_fields(terms), "valid_from": terms.valid_from or now},
        total_credits=terms.total_credits,
        form_key=form_key,
        requested_by=actor,
        requested_at=now,
        reason_code=ReasonCode.PROMOTION,
        note=note,
        limit_reason=limit_reason,
        needs_approval=bool(limit_reason),
        decide_until=now + conf.staff_approval_window() if limit_reason else None,
    )


def _fields(terms: VoucherTerms) -> dict[str, Any]:
    return {each.name: getattr(terms, each.name) for each in fields(terms)}


def _same_terms(first: VoucherBatch, terms: VoucherTerms) -> VoucherBatch:
    """The first batch of a form, if it was for the same."""
    wanted = {name: value for name, value in _fields(terms).items() if (name, value) != ("valid_from", None)}
    if any(getattr(first, name) != value for name, value in wanted.items()):
        raise IdempotencyConflict(key=first.form_key)
    return first


def _expire(batch: VoucherBatch, *, now: datetime) -> None:
    batch.save(update_fields=write_decision(approval=batch, decision=Decision.EXPIRED, actor=None, note="", now=now))
    _audit("expire", batch, actor=None, reason="Nobody decided in time.", address="")
    log.warning("vouchers_expired", batch=batch.public_id)


def _audit(verb: str, batch: VoucherBatch, *, actor: User | None, reason: str, address: str) -> None:
    stored = VoucherBatch.objects.get(pk=batch.pk)  # the state is computed by the database
    after = {
        "state": stored.state,
        "codes": stored.code_count,
        "credits": str(stored.credits),
        "total_credits": str(stored.total_credits),
    }
    if stored.limit_reason:
        after["limit_reason"] = stored.limit_reason
    record_audit(actor=actor, action=f"vouchers.{verb}", target=stored, after=after, reason=reason, address=address)
