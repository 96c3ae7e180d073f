"""What the demo's staff have done and left to do: credits by hand, refunds, a freeze, notes, a reconciliation.

All of it by the services that their pages call, as the person whose group may do it. What waits for a second person is
asked for anew each day, because it is off after one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from django.db import transaction

from accounts.models import User
from billing.errors import BillingError
from billing.gateway.client import StripeGateway
from billing.models import (
    Adjustment,
    AdjustmentState,
    CustomerNote,
    Decision,
    Payment,
    ReasonCode,
    ReconciliationRun,
    RunKind,
    RunTrigger,
)
from billing.services.adjustments import approve_adjustment, decline_adjustment, request_adjustment
from billing.services.audit import record_audit
from billing.services.customers import freeze_customer
from billing.services.reconciliation.shapes import StripeScope
from billing.services.reconciliation.stripe_run import reconcile_with_stripe
from billing.services.refund_sending import send_refund
from billing.services.refunds import request_refund
from billing.webhooks.catching_up import inbox_of
from sandbox.demo.accounts import APPROVER, DEBTOR, FINANCE, SUPPORT
from sandbox.demo.people import ensure_buyer
from sandbox.demo.purchase import Till
from sandbox.demo.stories import SECOND_PERSON_NEEDED_MINOR

_ADDRESS: Final = "192.0.2.10"  # of a network that exists in examples only (RFC 5737)
_TICKET: Final = "https://tickets.example.com/4711"
_FROZEN: Final = "frozen@example.com"
Staff = Mapping[str, User]


class _Wish(NamedTuple):
    """Credits that support has asked for, and what was decided where that took a second person."""

    email: str
    credits: int
    reason: ReasonCode
    note: str
    key: str
    decision: Decision = Decision.WAITING


def seed_staff_work(*, staff: Staff, now: datetime) -> None:
    """Adjustments that were posted, declined and wait; a freeze; notes."""
    for wish in _list_wishes(day=now.date().isoformat()):
        with suppress(BillingError):  # what you have done in the demo since stands in its way
            _adjust(staff, wish)
    _freeze(staff)
    _note(staff[SUPPORT.email], "partly-refunded@example.com", "Prefers e-mail. Asked for the unused part of May.")
    _note(staff[FINANCE.email], "disputed@example.com", "What the bank wants to see is collected in ticket 4711.")


def seed_refund_requests(*, staff: Staff, till: Till, now: datetime) -> None:
    """A refund that finance has made, and one that waits for a second person."""
    whole = f"whole-{now.date().isoformat()}"
    with suppress(BillingError):
        _refund(staff, till, "dispute-won@example.com", 300, note="A third was never used.", key="part")
    with suppress(BillingError):
        note = "Bought for the wrong team."
        _refund(staff, till, "big-buyer@example.com", SECOND_PERSON_NEEDED_MINOR, note=note, key=whole)


def seed_reconciliation(*, staff: Staff, gateway: StripeGateway, now: datetime) -> None:
    """One run against Stripe that finance has started; its findings are left for you."""
    if ReconciliationRun.objects.filter(kind=RunKind.STRIPE).exists():
        return
    scope = StripeScope(
        since=now - timedelta(days=2),
        grace=timedelta(0),
        trigger=RunTrigger.STAFF,
        started_by=staff[FINANCE.email],
    )
    reconcile_with_stripe(scope=scope, gateway=gateway, inbox=inbox_of(gateway))


def _list_wishes(*, day: str) -> Iterator[_Wish]:
    yield _Wish("refund-failed@example.com", 500, ReasonCode.GOODWILL, "Sorry for the refund that failed.", "sorry")
    yield _Wish("dispute-won@example.com", -120, ReasonCode.CORRECTION, "A summary was never counted.", "correction")
    yield _Wish(
        *("waiting@example.com", 2_500, ReasonCode.OUTAGE, "Half a day without summaries.", "half-a-day"),
        decision=Decision.APPROVED,
    )
    yield _Wish(
        *("refunded@example.com", 8_000, ReasonCode.GOODWILL, "Wants the pack again, for nothing.", "too-much"),
        decision=Decision.DECLINED,
    )
    yield _Wish("partly-refunded@example.com", 20_000, ReasonCode.OUTAGE, "Two days of outage.", f"outage-{day}")
    yield _Wish(DEBTOR.email, 900, ReasonCode.WRITE_OFF, "They have closed their business.", f"write-off-{day}")


def _adjust(staff: Staff, wish: _Wish) -> None:
    asked = request_adjustment(
        customer=ensure_buyer(email=wish.email),
        amount=Decimal(wish.credits),
        reason_code=wish.reason.value,
        note=wish.note,
        ticket=_TICKET,
        form_key=f"demo-{wish.key}",
        actor=staff[SUPPORT.email],
        address=_ADDRESS,
    )
    if asked.adjustment.state == AdjustmentState.WAITING:
        _decide(asked.adjustment, wish.decision, approver=staff[APPROVER.email])


def _decide(adjustment: Adjustment, decision: Decision, *, approver: User) -> None:
    name = adjustment.public_id
    if decision is Decision.APPROVED:
        approve_adjustment(adjustment_id=name, actor=approver, address=_ADDRESS, note="As agreed.")
    elif decision is Decision.DECLINED:
        note = "The money has gone back already."
        decline_adjustment(adjustment_id=name, actor=approver, address=_ADDRESS, note=note)


def _refund(staff: Staff, till: Till, email: str, amount_minor: int, *, note: str, key: str) -> None:
    finance = staff[FINANCE.email]
    asked = request_refund(
        payment_id=Payment.objects.get(customer__user__email=email).pk,
        amount_minor=amount_minor,
        reason_code=ReasonCode.OTHER.value,
        note=note,
        ticket=_TICKET,
        form_key=f"demo-{key}",
        actor=finance,
        address=_ADDRESS,
    )
    if not asked.is_replay and not asked.request.needs_approval:
        send_refund(request_id=asked.request.public_id, gateway=till.gateway, actor=finance, address=_ADDRESS)
        till.tell()


def _freeze(staff: Staff) -> None:
    customer = ensure_buyer(email=_FROZEN)
    if customer.flags.exists():
        return
    reason = "A colleague of theirs says that the account was taken over."
    with transaction.atomic():
        freeze_customer(customer_id=customer.pk, reason=reason)
        record_audit(
            actor=staff[FINANCE.email],
            action="customer.freeze",
            target=customer,
            before={"flags": [], "frozen": False},
            after={"flags": ["staff"], "frozen": True},
            reason=reason,
            address=_ADDRESS,
            customer=customer,
        )


def _note(author: User, email: str, text: str) -> None:
    CustomerNote.objects.get_or_create(customer=ensure_buyer(email=email), author=author, text=text)
