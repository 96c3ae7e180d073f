"""POST vouchers/redeem: a code's credits, once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from billing.models import BillingCustomer, IdempotentAnswer, LedgerEntry, VoucherRedemption
from billing.services.customers import create_external_customer
from billing.tests.api.conftest import Program, make_program
from billing.tests.api.test_ground import check_problem
from billing.tests.vouchers import make_batch, make_verified_customer, redeem

pytestmark = pytest.mark.django_db
PATH = "/vouchers/redeem"


@pytest.fixture
def visitor(buyer: BillingCustomer) -> BillingCustomer:
    """The buyer, verified."""
    assert buyer.user is not None
    EmailAddress.objects.create(user=buyer.user, email=buyer.user.email, primary=True, verified=True)
    return buyer


def test_code_answers_its_use_and_entry(program: Program, visitor: BillingCustomer) -> None:
    [code] = make_batch(lifetime_days=30).codes

    answer = program.post(PATH, {"code": code.lower()})

    assert answer.status_code == 201, answer.content
    redemption = VoucherRedemption.objects.get()
    body = answer.json()
    assert body["entry"].pop("id").endswith("_2")
    assert {**body, "entry": body["entry"]["kind"]} == {
        "id": redemption.public_id,
        "object": "voucher_redemption",
        "customer": visitor.public_id,
        "credits": "50.000000",
        "expires_at": (redemption.redeemed_at + timedelta(days=30)).isoformat().replace("+00:00", "Z"),
        "redeemed_at": redemption.redeemed_at.isoformat().replace("+00:00", "Z"),
        "entry": "voucher",
    }
    assert body["entry"]["balance_after"] == "1050.000000"


def test_same_key_gives_the_first_answer_also_when_it_is_not_kept(program: Program, visitor: BillingCustomer) -> None:
    [code] = make_batch(uses_per_code=5, uses_per_customer=5).codes

    answers = [program.post(PATH, {"code": code}) for _ in range(2)]
    IdempotentAnswer.objects.all().delete()
    answers.append(program.post(PATH, {"code": code}))

    assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true", "true"]
    assert answers[0].json() == answers[1].json() == answers[2].json()
    assert LedgerEntry.objects.filter(kind="voucher").count() == 1


def test_key_of_another_code_is_a_conflict_also_when_its_answer_is_not_kept(
    program: Program, visitor: BillingCustomer
) -> None:
    first, second = make_batch(code_count=2).codes
    program.post(PATH, {"code": first})

    check_problem(program.post(PATH, {"code": second}), status=422, code="idempotency_conflict")
    IdempotentAnswer.objects.all().delete()
    refusal = check_problem(program.post(PATH, {"code": second}), status=422, code="idempotency_conflict")

    assert refusal["key"] == "one"


def test_key_is_needed(program: Program, visitor: BillingCustomer) -> None:
    answer = program.post(PATH, {"code": make_batch().codes[0]}, key=None)

    check_problem(answer, status=400, code="idempotency_key_required")


def test_each_refusal_has_its_code(program: Program, visitor: BillingCustomer) -> None:
    now = timezone.now()
    [later] = make_batch(valid_from=now + timedelta(days=1)).codes
    [over] = make_batch(valid_until=now + timedelta(seconds=0.2)).codes
    [used] = make_batch().codes
    redeem(make_verified_customer(), used)
    [mine] = make_batch().codes
    program.post(PATH, {"code": mine})
    while timezone.now() < now + timedelta(seconds=0.3):
        pass

    def refused(code: str, status: int, name: str) -> None:
        check_problem(program.post(PATH, {"code": code}, key=name), status=status, code=name)

    refused("0000-0000-0000-0000", 404, "voucher_unknown")
    refused(later, 409, "voucher_not_yet_valid")
    refused(over, 410, "voucher_expired")
    refused(used, 410, "voucher_used_up")
    refused(mine, 409, "voucher_already_redeemed")
    for number in range(6):
        program.post(PATH, {"code": "0000-0000-0000-0000"}, key=f"guess-{number}")
    answer = program.post(PATH, {"code": mine}, key="late")
    check_problem(answer, status=429, code="voucher_guesses_exceeded")
    assert int(answer["Retry-After"]) > 3500


def test_address_must_be_verified(program: Program) -> None:
    answer = program.post(PATH, {"code": make_batch().codes[0]})

    check_problem(answer, status=403, code="email_not_verified")


def test_customers_of_a_product_have_no_address_of_their_own(platform: Program) -> None:
    create_external_customer(external_id="acme", email="acme@example.com")

    answer = platform.post(PATH, {"code": make_batch().codes[0]}, Billing_Customer="acme")

    check_problem(answer, status=403, code="email_not_verified")


def test_key_that_may_only_read_is_refused(visitor: BillingCustomer) -> None:
    reader = make_program(visitor.user, "read")

    check_problem(reader.post(PATH, {"code": "x"}), status=403, code="scope_missing")
