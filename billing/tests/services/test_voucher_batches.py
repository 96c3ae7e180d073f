"""Making vouchers: terms, limits with a second person, and the end of a batch."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from billing.errors import (
    ApprovalEnded,
    BillingError,
    IdempotencyConflict,
    InvalidAmount,
    InvalidRequest,
    NotPermitted,
    SecondPersonNeeded,
)
from billing.models import AuditEntry, VoucherBatch, VoucherCode
from billing.services.adjustments import request_adjustment
from billing.services.voucher_batches import (
    approve_vouchers,
    decline_vouchers,
    disable_vouchers,
    expire_voucher_batches,
)
from billing.tests.shop import make_customer
from billing.tests.vouchers import make_batch, make_issuer

pytestmark = pytest.mark.django_db
LIMIT, DAILY = 1_000, 5_000


@pytest.fixture(autouse=True)
def limits(settings: Settings) -> None:
    settings.STAFF_CREDIT_LIMIT, settings.STAFF_CREDIT_DAILY_LIMIT = LIMIT, DAILY
    settings.STAFF_CREDIT_DAILY_TOTAL = 8_000


@pytest.fixture
def issuer(db: None) -> User:
    return make_issuer("adjust_credits")


@pytest.fixture
def approver(db: None) -> User:
    return make_issuer("approve_credits")


def test_codes_are_made_and_written_down(issuer: User) -> None:
    made = make_batch(actor=issuer, code_count=10, uses_per_code=2)

    assert len(set(made.codes)) == VoucherCode.objects.filter(batch=made.batch, uses_left=2).count() == 10
    assert (made.batch.state, made.batch.total_credits) == ("active", Decimal(1_000))
    written = AuditEntry.objects.get(action="vouchers.make")
    assert (written.actor, written.reason, written.address) == (issuer, "For the fair", "203.0.113.7")
    assert (written.after["codes"], written.after["credits"]) == (10, "50.000000")
    assert not any(code[-9:] in str(written.after) for code in made.codes)


def test_form_sent_again_makes_nothing_and_shows_no_codes(issuer: User) -> None:
    first = make_batch(actor=issuer, form_key="one")
    again = make_batch(actor=issuer, form_key="one")

    assert (again.batch, again.codes) == (first.batch, ())
    assert VoucherCode.objects.count() == 1
    with pytest.raises(IdempotencyConflict):
        make_batch(actor=issuer, form_key="one", credits=Decimal(51))


@pytest.mark.parametrize(
    ("terms", "needs_approval"),
    [
        ({"code_count": 20}, False),
        ({"code_count": 21}, True),
        ({"code_count": 10, "uses_per_code": 2}, False),
        ({"code_count": 7, "uses_per_code": 3}, True),
        ({"credits": Decimal("1000")}, False),
        ({"credits": Decimal("1000.000001")}, True),
    ],
)
def test_credits_times_codes_times_uses_count_against_the_limit(terms: dict[str, Any], needs_approval: bool) -> None:
    batch = make_batch(**terms).batch

    assert batch.needs_approval is needs_approval
    assert batch.state == ("waiting" if needs_approval else "active")
    assert bool(batch.limit_reason) is bool(batch.decide_until) is needs_approval


def test_vouchers_and_adjustments_share_the_day_of_a_person(issuer: User) -> None:
    for _ in range(4):
        make_batch(actor=issuer, code_count=20)
    customer = make_customer()

    def give(amount: int, key: str) -> bool:
        asked = request_adjustment(
            customer=customer,
            amount=Decimal(amount),
            reason_code="goodwill",
            note="Sorry",
            form_key=key,
            actor=issuer,
            address="",
        )
        return asked.adjustment.needs_approval

    assert not give(1_000, "fits")
    assert give(1, "one too many")
    assert make_batch(actor=issuer, credits=Decimal(1)).batch.needs_approval


def test_all_staff_share_a_day_and_what_waits_does_not_count(issuer: User) -> None:
    make_batch(actor=issuer, code_count=1_000)
    for _ in range(2):
        other = make_issuer()
        for _ in range(4):
            assert not make_batch(actor=other, code_count=20).batch.needs_approval

    assert "all staff" in make_batch(actor=issuer).batch.limit_reason


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"credits": Decimal(0)}, "credits"),
        ({"credits": Decimal(-1)}, "credits"),
        ({"credits": Decimal(10) ** 12, "code_count": 11}, "credits"),
        ({"code_count": 0}, "code_count"),
        ({"code_count": 5_001}, "code_count"),
        ({"uses_per_code": 0}, "uses_per_code"),
        ({"uses_per_customer": 2}, "uses_per_customer"),
        ({"lifetime_days": 0}, "lifetime_days"),
        ({"lifetime_days": 10, "credits_expire_at": timezone.now() + timedelta(days=9)}, "lifetime_days"),
        ({"valid_until": timezone.now() - timedelta(days=1)}, "valid_until"),
        ({"credits_expire_at": timezone.now() - timedelta(days=1)}, "credits_expire_at"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any], field: str) -> None:
    with pytest.raises((InvalidRequest, InvalidAmount), match=f"^{field}: "):
        make_batch(**terms)

    assert not VoucherBatch.objects.exists()


def test_credits_must_outlive_their_codes() -> None:
    end = timezone.now() + timedelta(days=2)

    with pytest.raises(InvalidRequest):
        make_batch(valid_until=end, credits_expire_at=end)
    make_batch(valid_until=end, credits_expire_at=end + timedelta(seconds=1))


class TestWhoMay:
    def test_make(self) -> None:
        with pytest.raises(NotPermitted):
            make_batch(actor=User.objects.create_user("nobody@example.com", is_staff=True))

    def test_decide(self, issuer: User, approver: User) -> None:
        own = make_batch(actor=approver, code_count=100).batch

        with pytest.raises(NotPermitted):
            approve_vouchers(batch_id=own.public_id, actor=issuer, address="")
        with pytest.raises(SecondPersonNeeded):
            approve_vouchers(batch_id=own.public_id, actor=approver, address="")
        assert VoucherBatch.objects.get().state == "waiting"

    def test_disable(self, issuer: User) -> None:
        batch = make_batch(actor=issuer).batch

        with pytest.raises(NotPermitted):
            disable_vouchers(
                batch_id=batch.public_id, actor=User.objects.create_user("n@example.com"), address="", reason="No"
            )
        assert disable_vouchers(batch_id=batch.public_id, actor=issuer, address="", reason="Leaked").state == "disabled"
        with pytest.raises(ApprovalEnded):
            disable_vouchers(batch_id=batch.public_id, actor=issuer, address="", reason="Again")


class TestDecisions:
    def test_approved_batch_is_active(self, approver: User) -> None:
        batch = make_batch(code_count=100).batch

        decided = approve_vouchers(batch_id=batch.public_id, actor=approver, address="203.0.113.9", note="Fine")

        assert (decided.state, decided.approved_by, decided.decision_note) == ("active", approver, "Fine")
        assert AuditEntry.objects.get(action="vouchers.approve").after["state"] == "active"

    def test_decided_batch_is_decided_once(self, approver: User) -> None:
        batch = make_batch(code_count=100).batch
        decline_vouchers(batch_id=batch.public_id, actor=approver, address="", note="Too many")

        with pytest.raises(ApprovalEnded):
            approve_vouchers(batch_id=batch.public_id, actor=approver, address="")
        assert VoucherBatch.objects.get().state == "declined"

    def test_batch_that_needs_nobody_cannot_be_decided_on(self, approver: User) -> None:
        batch = make_batch().batch

        with pytest.raises(ApprovalEnded):
            decline_vouchers(batch_id=batch.public_id, actor=approver, address="", note="No")

    def test_nobody_decides_in_time(self, approver: User) -> None:
        batch = make_batch(code_count=100).batch
        assert batch.decide_until is not None

        assert expire_voucher_batches(now=batch.decide_until - timedelta(seconds=1)) == 0
        assert expire_voucher_batches(now=batch.decide_until) == 1
        assert VoucherBatch.objects.get().state == "expired"
        with pytest.raises(ApprovalEnded):
            approve_vouchers(batch_id=batch.public_id, actor=approver, address="")

    def test_decision_that_comes_too_late_ends_the_wait(self, approver: User) -> None:
        batch = make_batch(code_count=100).batch
        VoucherBatch.objects.update(decide_until=timezone.now())

        with pytest.raises(ApprovalEnded):
            approve_vouchers(batch_id=batch.public_id, actor=approver, address="")
        assert VoucherBatch.objects.get().state == "expired"

    def test_no_batch_of_that_id(self, approver: User) -> None:
        with pytest.raises(BillingError):
            approve_vouchers(batch_id="vb_none", actor=approver, address="")
