"""What staff may ask to be refunded, and who decides."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from billing.errors import (
    ApprovalEnded,
    IdempotencyConflict,
    InvalidRequest,
    NotPermitted,
    OwnAccount,
    RefundNotPossible,
    SecondPersonNeeded,
)
from billing.gateway.client import StripeGateway
from billing.kinds import EntryKind
from billing.models import AuditEntry, BillingCustomer, Payment, RefundRequest
from billing.selectors.refunds import read_refundable
from billing.services.refund_preview import preview_refund
from billing.services.refunds import approve_refund, decline_refund, expire_refund_requests, request_refund
from billing.tests.services.money_back import ask_refund, buy_thousand, make_staff
from billing.tests.views.rows import add_entry, make_payment
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
HERE = "203.0.113.7"


@pytest.fixture
def payment(stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer) -> Payment:
    """1,000 credits for $10.00."""
    return buy_thousand(sandbox=stripe_sandbox, gateway=gateway, customer=customer)


@pytest.fixture
def clerk() -> User:
    return make_staff("request_refunds")


@pytest.fixture
def approver() -> User:
    return make_staff("approve_refunds")


def actions() -> list[tuple[str, int | None]]:
    return [(entry.action, entry.actor_id) for entry in AuditEntry.objects.order_by("pk")]


def test_unused_part_is_proposed_rounded_down(payment: Payment, customer: BillingCustomer) -> None:
    add_entry(customer, "-333.4", kind=EntryKind.USAGE)

    refundable = read_refundable(payment=payment, now=timezone.now())

    assert refundable.proposed_minor == 666
    assert refundable.most_minor == 1000


def test_proposal_leaves_out_what_was_asked_for_already(payment: Payment, clerk: User) -> None:
    ask_refund(payment=payment, amount_minor=700, actor=clerk)

    refundable = read_refundable(payment=payment, now=timezone.now())

    assert (refundable.most_minor, refundable.proposed_minor) == (300, 300)


def test_preview_shows_credits_and_the_debt_that_is_left(payment: Payment, customer: BillingCustomer) -> None:
    add_entry(customer, "-900", kind=EntryKind.USAGE)

    whole = preview_refund(payment=payment, amount_minor=1000, now=timezone.now())
    unused = preview_refund(payment=payment, amount_minor=100, now=timezone.now())

    assert (whole.credits, whole.posted_after, whole.debt_after) == (1000, -900, 900)
    assert (unused.credits, unused.debt_after) == (100, 0)


def test_small_refund_is_ready_at_once_with_its_key_stored(payment: Payment, clerk: User) -> None:
    request = ask_refund(payment=payment, amount_minor=1000, actor=clerk)

    assert (request.state, request.needs_approval, request.decide_until) == ("ready", False, None)
    assert request.stripe_idempotency_key == f"refund-{request.public_id}"
    assert actions() == [("refund_request.request", clerk.pk)]
    entry = AuditEntry.objects.get()
    assert (entry.address, entry.reason, entry.customer_id) == (HERE, "Bought by mistake", payment.customer_id)


@pytest.mark.parametrize(("limit", "waits"), [(1000, False), (999, True), (0, True)])
def test_limit_asks_for_a_second_person(
    settings: Settings, payment: Payment, clerk: User, *, limit: int, waits: bool
) -> None:
    settings.STAFF_REFUND_LIMIT = limit

    request = ask_refund(payment=payment, amount_minor=1000, actor=clerk)

    assert (request.state == "waiting") is waits
    assert (request.decide_until is not None) is waits


def test_small_refunds_of_one_payment_count_as_one(settings: Settings, payment: Payment, clerk: User) -> None:
    settings.STAFF_REFUND_LIMIT = 500
    ask_refund(payment=payment, amount_minor=300, actor=clerk)

    assert ask_refund(payment=payment, amount_minor=200, actor=clerk).state == "ready"
    assert ask_refund(payment=payment, amount_minor=1, actor=clerk).state == "waiting"


@pytest.mark.parametrize("amount_minor", [1001, 0, -5])
def test_more_than_was_collected_or_nothing_is_refused(payment: Payment, clerk: User, amount_minor: int) -> None:
    with pytest.raises(RefundNotPossible):
        ask_refund(payment=payment, amount_minor=amount_minor, actor=clerk)

    assert not RefundRequest.objects.exists()
    assert not AuditEntry.objects.exists()


def test_open_requests_count_against_what_was_collected(payment: Payment, clerk: User, approver: User) -> None:
    ask_refund(payment=payment, amount_minor=600, actor=clerk)

    with pytest.raises(RefundNotPossible, match=r"at most \$4\.00"):
        ask_refund(payment=payment, amount_minor=401, actor=clerk)

    assert ask_refund(payment=payment, amount_minor=400, actor=clerk).state == "ready"


def test_what_was_never_paid_cannot_be_refunded(customer: BillingCustomer, clerk: User) -> None:
    with pytest.raises(RefundNotPossible, match="nothing was collected"):
        ask_refund(payment=make_payment(customer), amount_minor=100, actor=clerk)


def test_payment_without_an_intent_cannot_be_refunded(customer: BillingCustomer, clerk: User) -> None:
    paid = make_payment(customer, paid_at=timezone.now(), paid_amount_minor=1000, paid_currency="usd")

    with pytest.raises(RefundNotPossible, match="payment intent"):
        ask_refund(payment=paid, amount_minor=100, actor=clerk)


def test_form_sent_twice_asks_once(payment: Payment, clerk: User) -> None:
    first = ask_refund(payment=payment, amount_minor=100, actor=clerk, form_key="one")

    assert ask_refund(payment=payment, amount_minor=100, actor=clerk, form_key="one") == first
    with pytest.raises(IdempotencyConflict):
        ask_refund(payment=payment, amount_minor=200, actor=clerk, form_key="one")
    assert RefundRequest.objects.count() == 1


def test_values_that_cannot_be_used_are_named(payment: Payment, clerk: User) -> None:
    values = {"payment_id": payment.pk, "amount_minor": 1, "form_key": "x", "actor": clerk, "address": HERE}

    for reason_code, note in [("write_off", "Why"), ("nonsense", "Why"), ("goodwill", "  ")]:
        with pytest.raises(InvalidRequest):
            request_refund(**values, reason_code=reason_code, note=note)  # type: ignore[arg-type]


def test_without_the_right_nothing_is_asked(payment: Payment, approver: User) -> None:
    with pytest.raises(NotPermitted):
        ask_refund(payment=payment, amount_minor=1, actor=approver)


def test_nobody_refunds_their_own_payment(payment: Payment, customer: BillingCustomer, clerk: User) -> None:
    BillingCustomer.objects.filter(pk=customer.pk).update(user=clerk)

    with pytest.raises(OwnAccount):
        ask_refund(payment=payment, amount_minor=1, actor=clerk)


class TestDecisions:
    @pytest.fixture
    def waiting(self, settings: Settings, payment: Payment, clerk: User) -> RefundRequest:
        settings.STAFF_REFUND_LIMIT = 0
        return ask_refund(payment=payment, amount_minor=1000, actor=clerk)

    def test_approved_request_is_ready_and_audited(self, waiting: RefundRequest, approver: User) -> None:
        approved = approve_refund(request_id=waiting.public_id, actor=approver, address=HERE, note="Fine")

        assert (approved.state, approved.approved_by, approved.decision_note) == ("ready", approver, "Fine")
        assert actions()[-1] == ("refund_request.approve", approver.pk)

    def test_second_decision_comes_too_late(self, waiting: RefundRequest, approver: User) -> None:
        decline_refund(request_id=waiting.public_id, actor=approver, address=HERE, note="Spent already")

        with pytest.raises(ApprovalEnded):
            approve_refund(request_id=waiting.public_id, actor=make_staff("approve_refunds"), address=HERE)

        waiting.refresh_from_db()
        assert (waiting.state, waiting.decision_note) == ("declined", "Spent already")

    def test_requester_cannot_decide(self, waiting: RefundRequest, clerk: User) -> None:
        both = make_staff("request_refunds", "approve_refunds")
        RefundRequest.objects.filter(pk=waiting.pk).update(requested_by=both)

        with pytest.raises(SecondPersonNeeded):
            approve_refund(request_id=waiting.public_id, actor=both, address=HERE)

    def test_database_refuses_the_requester_too(self, waiting: RefundRequest, clerk: User) -> None:
        row = RefundRequest.objects.filter(pk=waiting.pk)

        with pytest.raises(IntegrityError, match="decided_by_another"), transaction.atomic():
            row.update(decision="approved", approved_by=clerk, decided_at=timezone.now())

    def test_database_refuses_to_send_what_nobody_approved(self, waiting: RefundRequest) -> None:
        with pytest.raises(IntegrityError, match="sent_is_approved"), transaction.atomic():
            RefundRequest.objects.filter(pk=waiting.pk).update(sent_at=timezone.now())

    def test_payer_cannot_approve(self, waiting: RefundRequest, customer: BillingCustomer, approver: User) -> None:
        BillingCustomer.objects.filter(pk=customer.pk).update(user=approver)

        with pytest.raises(OwnAccount):
            approve_refund(request_id=waiting.public_id, actor=approver, address=HERE)

    def test_right_is_needed_to_decide(self, waiting: RefundRequest) -> None:
        with pytest.raises(NotPermitted):
            decline_refund(request_id=waiting.public_id, actor=make_staff("request_refunds"), address=HERE, note="No")

    def test_declining_needs_words(self, waiting: RefundRequest, approver: User) -> None:
        with pytest.raises(InvalidRequest):
            decline_refund(request_id=waiting.public_id, actor=approver, address=HERE, note=" ")

    def test_request_expires_after_a_day(self, waiting: RefundRequest, approver: User) -> None:
        assert expire_refund_requests(now=timezone.now() + timedelta(hours=23)) == 0
        assert expire_refund_requests(now=timezone.now() + timedelta(hours=25)) == 1

        waiting.refresh_from_db()
        assert waiting.state == "expired"
        assert actions()[-1] == ("refund_request.expire", None)
        with pytest.raises(ApprovalEnded):
            approve_refund(request_id=waiting.public_id, actor=approver, address=HERE)

    def test_decision_after_the_day_expires_it(self, waiting: RefundRequest, approver: User) -> None:
        RefundRequest.objects.filter(pk=waiting.pk).update(decide_until=timezone.now() - timedelta(seconds=1))

        with pytest.raises(ApprovalEnded, match="expired"):
            approve_refund(request_id=waiting.public_id, actor=approver, address=HERE)

        waiting.refresh_from_db()
        assert waiting.state == "expired"

    def test_ended_requests_no_longer_count(self, waiting: RefundRequest, payment: Payment, approver: User) -> None:
        decline_refund(request_id=waiting.public_id, actor=approver, address=HERE, note="No")

        assert read_refundable(payment=payment, now=timezone.now()).most_minor == 1000

    def test_approval_counts_what_went_back_since(
        self, waiting: RefundRequest, payment: Payment, approver: User
    ) -> None:
        Payment.objects.filter(pk=payment.pk).update(refunded_minor=1, given_back_minor=1)

        with pytest.raises(RefundNotPossible, match="since it was asked for"):
            approve_refund(request_id=waiting.public_id, actor=approver, address=HERE)

        waiting.refresh_from_db()
        assert waiting.state == "waiting"


def test_request_of_an_unknown_id_is_refused(approver: User) -> None:
    with pytest.raises(InvalidRequest):
        approve_refund(request_id="rreq_none", actor=approver, address=HERE)


def test_what_was_granted_by_a_code_for_nothing_cannot_be_refunded(customer: BillingCustomer, clerk: User) -> None:
    free = make_payment(customer, paid_at=timezone.now(), paid_amount_minor=0, paid_currency="usd")

    assert read_refundable(payment=free, now=timezone.now()).proposed_minor == Decimal(0)
    with pytest.raises(RefundNotPossible):
        ask_refund(payment=free, amount_minor=1, actor=clerk)
