"""Manual credits and debits: limits, a second person, who may not, what is written down."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from pytest_django import Settings

from accounts.models import User
from billing.errors import (
    ApprovalEnded,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidAmount,
    InvalidRequest,
    NothingToWriteOff,
    NotPermitted,
    OwnAccount,
    SecondPersonNeeded,
)
from billing.kinds import EntryKind
from billing.ledger.verification import verify_ledger
from billing.management.commands.sweep import Command
from billing.models import Adjustment, AuditEntry, BillingCustomer, CreditBalance, LedgerEntry
from billing.services.adjustments import (
    approve_adjustment,
    decline_adjustment,
    request_adjustment,
)
from billing.services.customers import ensure_customer
from billing.services.posting import Posting, post
from billing.tests.shop import make_customer

pytestmark = pytest.mark.django_db
ADDRESS = "203.0.113.7"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
_numbers = itertools.count(1)


def make_staff(name: str, *codenames: str) -> User:
    user = User.objects.create_user(f"{name}@example.com", "a staff password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def agent() -> User:
    return make_staff("agent", "adjust_credits", "approve_credits")


@pytest.fixture
def boss() -> User:
    return make_staff("boss", "adjust_credits", "approve_credits")


def ask(customer: BillingCustomer, actor: User, amount: Decimal | int | str = 250, **changes: Any) -> Adjustment:
    content = {
        "reason_code": "goodwill",
        "note": "Our outage on Monday",
        "ticket": "https://desk.example.com/4711",
        "form_key": f"form-{next(_numbers)}",
        "address": ADDRESS,
    }
    return request_adjustment(
        customer=customer, actor=actor, amount=Decimal(amount), **{**content, **changes}
    ).adjustment


def move(customer: BillingCustomer, kind: EntryKind, amount: int) -> None:
    key = f"api:move-{next(_numbers)}"
    may_leave_debt = kind is EntryKind.ADJUSTMENT
    posting = Posting(
        customer_id=customer.pk,
        kind=kind,
        amount=Decimal(amount),
        key=key,
        description="Test",
        may_leave_debt=may_leave_debt,
    )
    post(posting=posting)


def posted(customer: BillingCustomer) -> Decimal:
    return Decimal(CreditBalance.objects.get(pk=customer.pk).posted)


def acts() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


# --- within the limits


def test_credit_within_the_limits_is_posted_at_once(customer: BillingCustomer, agent: User) -> None:
    adjustment = ask(customer, agent, "250.5")

    assert (adjustment.state, adjustment.needs_approval, adjustment.limit_reason) == ("posted", False, "")
    entry = LedgerEntry.objects.get()
    assert adjustment.entry == entry
    assert (entry.kind, entry.amount, entry.description) == ("adjustment", Decimal("250.5"), "Our outage on Monday")
    assert entry.idempotency_key == f"staff:{adjustment.public_id}"
    assert (entry.source_type, entry.source_id) == ("adjustment", adjustment.public_id)
    assert list(verify_ledger()) == []


def test_request_is_audited_with_the_balance_before_and_after(customer: BillingCustomer, agent: User) -> None:
    move(customer, EntryKind.PROMOTION, 100)

    adjustment = ask(customer, agent, -40)

    audit = AuditEntry.objects.get()
    assert (audit.action, audit.actor, audit.customer, audit.address) == (
        "adjustment.request",
        agent,
        customer,
        ADDRESS,
    )
    assert (audit.before["posted"], audit.after["posted"]) == ("100.000000", "60.000000")
    assert (audit.after["state"], audit.after["moved"]) == ("posted", "-40.000000")
    assert audit.target_label == str(adjustment)
    assert audit.reason == "Our outage on Monday"


def test_form_sent_again_gives_the_first_adjustment(customer: BillingCustomer, agent: User) -> None:
    first = ask(customer, agent, 250, form_key="one")
    again = request_adjustment(
        customer=customer,
        actor=agent,
        amount=Decimal("250.000"),
        reason_code="goodwill",
        note=" Our outage on Monday ",
        ticket="https://desk.example.com/4711",
        form_key="one",
        address=ADDRESS,
    )

    assert (again.adjustment, again.is_replay) == (first, True)
    assert posted(customer) == 250
    assert acts() == ["adjustment.request"]


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 251},
        {"amount": -250},
        {"reason_code": "outage"},
        {"note": "Something else"},
        {"ticket": ""},
    ],
)
def test_form_sent_again_with_another_content_is_refused(
    customer: BillingCustomer, agent: User, change: dict[str, Any]
) -> None:
    move(customer, EntryKind.PROMOTION, 1000)
    ask(customer, agent, 250, form_key="one")

    with pytest.raises(IdempotencyConflict):
        ask(customer, agent, **{"amount": 250, "form_key": "one", **change})

    assert posted(customer) == 1250


def test_form_of_another_customer_is_refused_and_of_another_person_its_own(
    customer: BillingCustomer, agent: User, boss: User
) -> None:
    ask(customer, agent, form_key="one")

    with pytest.raises(IdempotencyConflict):
        ask(make_customer(), agent, form_key="one")
    ask(customer, boss, form_key="one")

    assert posted(customer) == 500


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"note": "  "}, "note"),
        ({"note": "x" * 501}, "note"),
        ({"note": "a\0b"}, "note"),
        ({"reason_code": "because"}, "reason_code"),
        ({"reason_code": ""}, "reason_code"),
        ({"ticket": "http://desk.example.com/1"}, "ticket"),
        ({"ticket": "javascript:alert(1)"}, "ticket"),
        ({"ticket": "4711"}, "ticket"),
        ({"ticket": "https://desk.example.com/" + "x" * 500}, "ticket"),
        ({"may_leave_debt": True}, "may_leave_debt"),
        ({"form_key": ""}, "form_key"),
        ({"form_key": "x" * 101}, "form_key"),
    ],
)
def test_value_that_cannot_be_used_is_named(
    customer: BillingCustomer, agent: User, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        ask(customer, agent, **change)

    assert refusal.value.field == field
    assert not Adjustment.objects.exists()


@pytest.mark.parametrize("amount", ["0", "NaN", "1e99", "0.0000001"])
def test_amount_that_is_none_is_refused(customer: BillingCustomer, agent: User, amount: str) -> None:
    with pytest.raises(InvalidAmount):
        ask(customer, agent, amount)


def test_debit_stops_at_what_is_available(customer: BillingCustomer, agent: User) -> None:
    move(customer, EntryKind.PROMOTION, 100)

    with pytest.raises(InsufficientCredits):
        ask(customer, agent, "-100.000001")
    ask(customer, agent, -100)

    assert posted(customer) == 0
    assert Adjustment.objects.count() == 1


# --- the limits


@pytest.mark.parametrize(("amount", "waits"), [("1000", False), ("1000.000001", True)])
def test_limit_of_one_entry(customer: BillingCustomer, agent: User, amount: str, *, waits: bool) -> None:
    adjustment = ask(customer, agent, amount)

    assert adjustment.needs_approval is waits
    assert ("1,000 credits at once" in adjustment.limit_reason) is waits
    assert posted(customer) == (0 if waits else 1000)


def test_debits_count_by_their_absolute_value(customer: BillingCustomer, agent: User) -> None:
    move(customer, EntryKind.PROMOTION, 10_000)

    assert ask(customer, agent, "-1000.000001").state == "waiting"
    for amount in (1000, -1000, 1000, -1000, 1000):
        assert ask(customer, agent, amount).state == "posted"
    assert "a day of one person" in ask(customer, agent, "-0.000001").limit_reason


def test_day_of_one_person_is_not_the_day_of_another(customer: BillingCustomer, agent: User, boss: User) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        for _ in range(5):
            ask(customer, agent, 1000)

        assert "5,000 credits a day of one person" in ask(customer, agent, 1).limit_reason
        assert ask(customer, boss, 1).state == "posted"
        clock.move_to(datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC))
        assert ask(customer, agent, 1).state == "waiting"
        clock.move_to(datetime(2026, 11, 21, tzinfo=UTC))
        assert ask(customer, agent, 1).state == "posted"


def test_day_of_all_staff_together(customer: BillingCustomer, agent: User, boss: User, settings: Settings) -> None:
    settings.STAFF_CREDIT_DAILY_TOTAL = 1500
    ask(customer, agent, 1000)

    assert ask(customer, boss, 500).state == "posted"
    assert "1,500 credits a day of all staff" in ask(customer, boss, "0.000001").limit_reason


def test_what_a_second_person_looks_at_counts_against_no_day(
    customer: BillingCustomer, agent: User, boss: User, settings: Settings
) -> None:
    settings.STAFF_CREDIT_DAILY_TOTAL = 1000
    approve_adjustment(adjustment_id=ask(customer, agent, 5000).public_id, actor=boss, address=ADDRESS)
    ask(customer, agent, 4000)

    assert ask(customer, agent, 1000).state == "posted"
    assert posted(customer) == 6000


def test_limit_of_zero_lets_everything_wait(customer: BillingCustomer, agent: User, settings: Settings) -> None:
    settings.STAFF_CREDIT_LIMIT = 0

    assert ask(customer, agent, "0.000001").state == "waiting"


def test_debit_that_may_leave_a_debt_always_waits(customer: BillingCustomer, agent: User, boss: User) -> None:
    adjustment = ask(customer, agent, -5, may_leave_debt=True)
    assert adjustment.state == "waiting"
    assert "may leave a debt" in adjustment.limit_reason

    approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, address=ADDRESS)

    assert posted(customer) == -5
    assert list(verify_ledger()) == []


# --- write-offs


def test_write_off_always_waits_and_gives_up_the_debt(customer: BillingCustomer, agent: User, boss: User) -> None:
    move(customer, EntryKind.ADJUSTMENT, -30)

    adjustment = ask(customer, agent, 30, reason_code="write_off")
    assert (adjustment.state, adjustment.is_write_off, posted(customer)) == ("waiting", True, -30)
    adjustment = approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, address=ADDRESS)

    assert adjustment.entry is not None
    assert (adjustment.entry.kind, adjustment.entry.amount) == ("write_off", 30)
    assert posted(customer) == 0
    assert list(verify_ledger()) == []


def test_write_off_gives_up_at_most_what_is_owed_when_it_is_approved(
    customer: BillingCustomer, agent: User, boss: User
) -> None:
    move(customer, EntryKind.ADJUSTMENT, -30)
    adjustment = ask(customer, agent, 30, reason_code="write_off")
    move(customer, EntryKind.PROMOTION, 20)

    adjustment = approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, address=ADDRESS)

    assert adjustment.entry is not None
    assert (adjustment.amount, adjustment.entry.amount, posted(customer)) == (30, 10, 0)
    assert AuditEntry.objects.get(action="adjustment.approve").after["moved"] == "10.000000"


def test_write_off_without_a_debt_is_refused_and_goes_on_waiting(
    customer: BillingCustomer, agent: User, boss: User
) -> None:
    with pytest.raises(NothingToWriteOff):
        ask(customer, agent, 30, reason_code="write_off")
    move(customer, EntryKind.ADJUSTMENT, -30)
    with pytest.raises(InvalidAmount, match="the debt is 30 credits"):
        ask(customer, agent, "30.000001", reason_code="write_off")
    with pytest.raises(InvalidAmount):
        ask(customer, agent, -30, reason_code="write_off")
    adjustment = ask(customer, agent, 30, reason_code="write_off")
    move(customer, EntryKind.PROMOTION, 30)

    with pytest.raises(NothingToWriteOff):
        approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, address=ADDRESS)

    adjustment.refresh_from_db()
    assert adjustment.state == "waiting"


# --- the second person


def test_approved_adjustment_is_posted_and_audited(customer: BillingCustomer, agent: User, boss: User) -> None:
    adjustment = ask(customer, agent, 5000)
    assert posted(customer) == 0

    adjustment = approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, note="Seen it", address=ADDRESS)

    assert (adjustment.state, adjustment.approved_by, adjustment.decision_note) == ("posted", boss, "Seen it")
    assert posted(customer) == 5000
    assert acts() == ["adjustment.request", "adjustment.approve"]
    audit = AuditEntry.objects.latest("pk")
    assert (audit.actor, audit.before, audit.after["posted"]) == (
        boss,
        {"state": "waiting", "posted": "0.000000"},
        "5000.000000",
    )


def test_declined_adjustment_moves_nothing(customer: BillingCustomer, agent: User, boss: User) -> None:
    adjustment = ask(customer, agent, 5000)

    with pytest.raises(InvalidRequest):
        decline_adjustment(adjustment_id=adjustment.public_id, actor=boss, note=" ", address=ADDRESS)
    adjustment = decline_adjustment(adjustment_id=adjustment.public_id, actor=boss, note="Too much", address=ADDRESS)

    assert (adjustment.state, adjustment.entry, posted(customer)) == ("declined", None, 0)
    assert acts() == ["adjustment.request", "adjustment.decline"]
    with pytest.raises(ApprovalEnded, match="is declined already"):
        approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, address=ADDRESS)


def test_requester_cannot_decide(customer: BillingCustomer, agent: User) -> None:
    adjustment = ask(customer, agent, 5000)

    with pytest.raises(SecondPersonNeeded):
        approve_adjustment(adjustment_id=adjustment.public_id, actor=agent, address=ADDRESS)
    with pytest.raises(SecondPersonNeeded):
        decline_adjustment(adjustment_id=adjustment.public_id, actor=agent, note="No", address=ADDRESS)

    assert posted(customer) == 0


@pytest.mark.parametrize("decision", ["approved", "declined"])
def test_database_refuses_the_requester_as_well(customer: BillingCustomer, agent: User, decision: str) -> None:
    adjustment = ask(customer, agent, 5000)
    row = Adjustment.objects.filter(pk=adjustment.pk)

    with pytest.raises(IntegrityError, match="decided_by_another"), transaction.atomic():
        row.update(approved_by=agent, decision=decision, decided_at=NOON)
    with pytest.raises(IntegrityError, match="approval_has_a_person"), transaction.atomic():
        row.update(approved_by=None, decision="approved", decided_at=NOON)


def test_database_refuses_an_entry_that_nobody_approved(customer: BillingCustomer, agent: User) -> None:
    entry = ask(customer, agent, 5).entry
    waiting = ask(customer, agent, 5000)
    Adjustment.objects.filter(entry=entry).update(entry=None)

    with pytest.raises(IntegrityError, match="posted_is_approved"), transaction.atomic():
        Adjustment.objects.filter(pk=waiting.pk).update(entry=entry)


def test_nobody_credits_themselves(boss: User, agent: User) -> None:
    own = ensure_customer(user=boss)

    with pytest.raises(OwnAccount):
        ask(own, boss, 5)
    adjustment = ask(own, agent, 5000)
    with pytest.raises(OwnAccount):
        approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, address=ADDRESS)

    assert posted(own) == 0


def test_rights_are_asked_for_by_the_service(customer: BillingCustomer, agent: User) -> None:
    reader, clerk = make_staff("reader", "approve_credits"), make_staff("clerk", "adjust_credits")
    adjustment = ask(customer, agent, 5000)

    with pytest.raises(NotPermitted, match=r"billing\.adjust_credits"):
        ask(customer, reader, 5)
    with pytest.raises(NotPermitted, match=r"billing\.approve_credits"):
        approve_adjustment(adjustment_id=adjustment.public_id, actor=clerk, address=ADDRESS)

    reader.is_active = False
    with pytest.raises(NotPermitted):
        approve_adjustment(adjustment_id=adjustment.public_id, actor=reader, address=ADDRESS)


def test_what_was_decided_or_needed_nobody_cannot_be_decided(
    customer: BillingCustomer, agent: User, boss: User
) -> None:
    at_once, waiting = ask(customer, agent, 5), ask(customer, agent, 5000)
    approve_adjustment(adjustment_id=waiting.public_id, actor=boss, address=ADDRESS)

    for adjustment in (at_once, waiting):
        with pytest.raises(ApprovalEnded):
            approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, address=ADDRESS)
    with pytest.raises(InvalidRequest):
        approve_adjustment(adjustment_id="adj_unknown", actor=boss, address=ADDRESS)

    assert posted(customer) == 5005


def test_debit_without_cover_is_refused_and_goes_on_waiting(customer: BillingCustomer, agent: User, boss: User) -> None:
    move(customer, EntryKind.PROMOTION, 3000)
    adjustment = ask(customer, agent, -2000)
    move(customer, EntryKind.USAGE, -1500)

    with pytest.raises(InsufficientCredits):
        approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, address=ADDRESS)
    adjustment.refresh_from_db()
    assert (adjustment.state, adjustment.decision, posted(customer)) == ("waiting", "", 1500)

    move(customer, EntryKind.PROMOTION, 500)
    approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, address=ADDRESS)
    assert posted(customer) == 0


# --- the time to decide


@pytest.mark.parametrize(("after", "in_time"), [(timedelta(hours=24, seconds=-1), True), (timedelta(hours=24), False)])
def test_decision_comes_within_a_day(
    customer: BillingCustomer, agent: User, boss: User, after: timedelta, *, in_time: bool
) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        adjustment = ask(customer, agent, 5000)
        clock.move_to(NOON + after)
        if in_time:
            approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, address=ADDRESS)
        else:
            with pytest.raises(ApprovalEnded, match="is expired already"):
                approve_adjustment(adjustment_id=adjustment.public_id, actor=boss, address=ADDRESS)

    adjustment.refresh_from_db()
    assert adjustment.state == ("posted" if in_time else "expired")
    assert adjustment.approved_by == (boss if in_time else None)
    assert acts()[1:] == (["adjustment.approve"] if in_time else ["adjustment.expire"])


def test_sweeper_ends_what_nobody_decided(customer: BillingCustomer, agent: User, settings: Settings) -> None:
    settings.STAFF_APPROVAL_HOURS = 2
    with time_machine.travel(NOON, tick=False):
        old, posted_at_once = ask(customer, agent, 5000), ask(customer, agent, 5)
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        young = ask(customer, agent, 6000)

    with time_machine.travel(NOON + timedelta(hours=2), tick=False):
        chore = Command().chores()["adjustments_expired"]
        assert (chore(), chore()) == (1, 0)

    states = [Adjustment.objects.get(pk=each.pk).state for each in (old, young, posted_at_once)]
    assert states == ["expired", "waiting", "posted"]
    audit = AuditEntry.objects.latest("pk")
    assert (audit.actor, audit.action, audit.after["state"]) == (None, "adjustment.expire", "expired")
