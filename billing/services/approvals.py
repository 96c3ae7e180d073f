"""A second person's decision: who may make it, until when, and how it is written down."""

from datetime import datetime

from accounts.models import User
from billing.errors import ApprovalEnded, InvalidRequest, NotPermitted, OwnAccount, SecondPersonNeeded
from billing.models import Approval, BillingCustomer, Decision

MAX_NOTE_LENGTH = 500


def check_permission(*, actor: User, permission: str) -> None:
    """Refuse who lacks a right; the pages ask as well, this holds for every caller.

    Raises:
        NotPermitted: names the permission.
    """
    if not actor.has_perm(permission):
        raise NotPermitted(permission=permission)


def check_not_own(*, actor: User, customer: BillingCustomer) -> None:
    """Refuse who would move credits or money of their own account.

    Raises:
        OwnAccount: the customer's user is the actor.
    """
    if customer.user_id is not None and customer.user_id == actor.pk:
        raise OwnAccount


def check_may_decide(*, approval: Approval, customer: BillingCustomer, actor: User, permission: str) -> None:
    """Refuse who may not decide on what others asked for. The database refuses the requester as well.

    Raises:
        NotPermitted, SecondPersonNeeded, OwnAccount: not this person.
    """
    check_permission(actor=actor, permission=permission)
    if approval.requested_by_id == actor.pk:
        raise SecondPersonNeeded
    check_not_own(actor=actor, customer=customer)


def check_waits(*, approval: Approval, name: str) -> None:
    """Refuse to decide twice. Call with the approval's row locked.

    Raises:
        ApprovalEnded: it was decided, or needed nobody.
    """
    if approval.decision:
        raise ApprovalEnded(request=name, decision=Decision(approval.decision).label.lower())
    if not approval.needs_approval:
        raise ApprovalEnded(request=name, decision="done")


def is_overdue(*, approval: Approval, now: datetime) -> bool:
    """Whether nobody has decided in time."""
    return not approval.decision and approval.decide_until is not None and approval.decide_until <= now


def write_decision(
    *, approval: Approval, decision: Decision, actor: User | None, note: str, now: datetime
) -> tuple[str, ...]:
    """Put a decision on the row, which the caller saves; gives the names of the fields. No actor: time ran out."""
    approval.decision, approval.approved_by, approval.decided_at, approval.decision_note = decision, actor, now, note
    return ("decision", "approved_by", "decided_at", "decision_note")


def check_note(*, note: str, field: str = "note", is_needed: bool = True) -> str:
    """The words that go with an act, without blanks around them.

    Raises:
        InvalidRequest: none where some are needed, too many, or a NUL, which the database cannot keep.
    """
    words = note.strip()
    if is_needed and not words:
        raise InvalidRequest(field=field, fault="it is empty", remedy="Say why, in a sentence.")
    if len(words) > MAX_NOTE_LENGTH or "\0" in words:
        raise InvalidRequest(
            field=field, fault="it cannot be kept", remedy=f"Send at most {MAX_NOTE_LENGTH} characters of text."
        )
    return words
