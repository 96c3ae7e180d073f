"""Refunds that staff ask for: what may be asked, who decides, and what became of it. Sending is `refund_sending`.

The credits' part comes by convergence alone, from the refund that Stripe makes, like that of any other refund.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.models import User
from billing import conf
from billing.errors import ApprovalEnded, IdempotencyConflict, InvalidRequest, RefundNotPossible
from billing.models import Decision, Payment, ReasonCode, RefundRequest, RefundRequestState
from billing.money import format_money
from billing.selectors.refunds import Refundable, read_refundable
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

MAY_REQUEST, MAY_DECIDE = "billing.request_refunds", "billing.approve_refunds"
REASONS = (ReasonCode.GOODWILL, ReasonCode.OUTAGE, ReasonCode.CORRECTION, ReasonCode.OTHER)
_LIVE = (RefundRequestState.READY, RefundRequestState.SENT, RefundRequestState.ACCEPTED)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedRefund:
    """A refund request, and whether its form had been sent before."""

    request: RefundRequest
    is_replay: bool


def request_refund(
    *,
    payment_id: int,
    amount_minor: int,
    reason_code: str,
    note: str,
    form_key: str,
    actor: User,
    address: str,
    ticket: str = "",
) -> RequestedRefund:
    """Write down that a part or the whole of a payment is to go back. It is ready to be sent, or waits for approval.

    What is given back, asked for already and asked for now never adds up to more than was collected: all of them are
    counted under the lock of the payment's row. One form of one person asks once.

    Raises:
        NotPermitted, OwnAccount: not by this person, or not for this payment.
        RefundNotPossible, InvalidRequest: the payment does not allow it, or a value cannot be used.
        IdempotencyConflict: the form was sent before with another content.
    """
    check_permission(actor=actor, permission=MAY_REQUEST)
    note = check_note(note=note)
    if reason_code not in REASONS:
        raise InvalidRequest(
            field="reason_code", fault="it is no reason for a refund", remedy="Choose one of the list."
        )
    with transaction.atomic():
        payment = Payment.objects.select_for_update(of=("self",)).select_related("customer").get(pk=payment_id)
        check_not_own(actor=actor, customer=payment.customer)
        first = RefundRequest.objects.filter(requested_by=actor, form_key=form_key).first()
        if first is not None:
            if (first.payment_id, first.amount_minor) != (payment.pk, amount_minor):
                raise IdempotencyConflict(key=form_key)
            return RequestedRefund(request=first, is_replay=True)
        now = timezone.now()
        _check_possible(payment, amount_minor=amount_minor, refundable=read_refundable(payment=payment, now=now))
        limit_reason = find_refund_limit(payment=payment, amount_minor=amount_minor)
        request = RefundRequest(
            payment=payment,
            amount_minor=amount_minor,
            currency=payment.paid_currency,
            form_key=form_key,
            requested_by=actor,
            requested_at=now,
            reason_code=reason_code,
            note=note,
            ticket=ticket.strip(),
            needs_approval=bool(limit_reason),
            limit_reason=limit_reason,
            decide_until=now + conf.staff_approval_window() if limit_reason else None,
        )
        request.stripe_idempotency_key = f"refund-{request.public_id}"
        request.save()
        request = _fresh(request)
        audit_refund("request", request, actor=actor, reason=note, address=address)
    log.info("refund_requested", refund_request=request.public_id, actor_id=actor.pk, waits=request.needs_approval)
    return RequestedRefund(request=request, is_replay=False)


def approve_refund(*, request_id: str, actor: User, address: str, note: str = "") -> RefundRequest:
    """Let a colleague's request be sent. Of several who decide at once, the first one does.

    Raises:
        NotPermitted, SecondPersonNeeded, OwnAccount: not by this person.
        ApprovalEnded: it was decided before, or its time is over.
        RefundNotPossible: so much can no longer go back; it goes on waiting.
    """
    return _decide(request_id, Decision.APPROVED, actor=actor, note=check_note(note=note, is_needed=False), at=address)


def decline_refund(*, request_id: str, actor: User, address: str, note: str) -> RefundRequest:
    """Refuse what a colleague asked for, and say why.

    Raises:
        NotPermitted, SecondPersonNeeded, OwnAccount: not by this person.
        ApprovalEnded: it was decided before, or its time is over.
        InvalidRequest: no note.
    """
    return _decide(request_id, Decision.DECLINED, actor=actor, note=check_note(note=note), at=address)


def expire_refund_requests(*, now: datetime, limit: int = 1000) -> int:
    """End what nobody has decided in time; gives how many. What somebody decides on right now is left to them."""
    with transaction.atomic():
        waiting = RefundRequest.objects.filter(
            needs_approval=True, decision=Decision.WAITING, decide_until__lte=now
        ).select_related("payment__customer")
        overdue = list(waiting.select_for_update(of=("self",), skip_locked=True).order_by("decide_until")[:limit])
        for request in overdue:
            _expire(request, now=now)
    return len(overdue)


def find_refund_limit(*, payment: Payment, amount_minor: int) -> str:
    """Why a second person is needed, empty if none is. Several small refunds of one payment count as one."""
    limit = conf.staff_refund_limit_minor()
    small = RefundRequest.objects.filter(payment=payment, needs_approval=False, state__in=_LIVE)
    before = small.aggregate(total=Sum("amount_minor"))["total"] or 0
    if before + amount_minor <= limit:
        return ""
    allowed = format_money(amount_minor=limit, currency=payment.paid_currency)
    return f"Without a second person at most {allowed} of a payment may be refunded."


def audit_refund(verb: str, request: RefundRequest, *, actor: User | None, reason: str = "", address: str = "") -> None:
    """Write down a step of a refund request; its row is as it is after that step."""
    after: dict[str, Any] = {
        "state": request.state,
        "amount_minor": request.amount_minor,
        "currency": request.currency,
        "payment": request.payment.public_id,
        "reason_code": request.reason_code,
    }
    optional = {"refund": request.refund_id, "refusal": request.refusal, "limit_reason": request.limit_reason}
    record_audit(
        actor=actor,
        action=f"refund_request.{verb}",
        target=request,
        after=after | {name: value for name, value in optional.items() if value},
        reason=reason,
        address=address,
        customer=request.payment.customer,
    )


def _check_possible(payment: Payment, *, amount_minor: int, refundable: Refundable) -> None:
    if not refundable.collected_minor:
        raise RefundNotPossible(payment=payment.public_id, fault="nothing was collected for it")
    if not payment.payment_intent_id:
        raise RefundNotPossible(payment=payment.public_id, fault="Stripe has not told its payment intent yet")
    if amount_minor <= 0:
        raise RefundNotPossible(payment=payment.public_id, fault="the amount is not above zero")
    if amount_minor > refundable.most_minor:
        most = format_money(amount_minor=refundable.most_minor, currency=refundable.currency)
        raise RefundNotPossible(payment=payment.public_id, fault=f"at most {most} can still go back")


def _decide(request_id: str, decision: Decision, *, actor: User, note: str, at: str) -> RefundRequest:
    with transaction.atomic():
        rows = RefundRequest.objects.select_for_update(of=("self",)).select_related("payment__customer")
        request = rows.filter(public_id=request_id).first()
        if request is None:
            raise InvalidRequest(field="refund_request", fault="there is none of that id", remedy="Send an rreq_… id.")
        now = timezone.now()
        check_may_decide(approval=request, customer=request.payment.customer, actor=actor, permission=MAY_DECIDE)
        check_waits(approval=request, name=request.public_id)
        if is_late := is_overdue(approval=request, now=now):
            _expire(request, now=now)
        else:
            if decision is Decision.APPROVED:
                _check_still_possible(request, now=now)
            request.save(
                update_fields=write_decision(approval=request, decision=decision, actor=actor, note=note, now=now)
            )
            request = _fresh(request)
            verb = "approve" if decision is Decision.APPROVED else "decline"
            audit_refund(verb, request, actor=actor, reason=note, address=at)
    if is_late:  # told after the commit that wrote it down
        raise ApprovalEnded(request=request_id, decision=Decision.EXPIRED.label.lower())
    log.info("refund_decided", refund_request=request_id, actor_id=actor.pk, decision=decision)
    return request


def _check_still_possible(request: RefundRequest, *, now: datetime) -> None:
    """Money may have gone back in another way since; the request itself is among those that are counted."""
    payment = Payment.objects.select_for_update().get(pk=request.payment_id)
    refundable = read_refundable(payment=payment, now=now)
    if refundable.requested_minor > refundable.left_minor:
        raise RefundNotPossible(payment=payment.public_id, fault="too much of it has gone back since it was asked for")


def _expire(request: RefundRequest, *, now: datetime) -> None:
    request.save(
        update_fields=write_decision(approval=request, decision=Decision.EXPIRED, actor=None, note="", now=now)
    )
    audit_refund("expire", _fresh(request), actor=None, reason="Nobody decided in time.")
    log.warning("refund_request_expired", refund_request=request.public_id)


def _fresh(request: RefundRequest) -> RefundRequest:
    """The row with the state that the database has derived."""
    return RefundRequest.objects.select_related("payment__customer").get(pk=request.pk)
