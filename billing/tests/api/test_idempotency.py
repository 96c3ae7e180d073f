"""Each POST acts once for its key: asked again, asked at the same time, asked after a crash."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings as django_settings
from django.test import Client

from billing.models import (
    Adjustment,
    BillingCustomer,
    CreditBalance,
    CreditHold,
    CreditPack,
    IdempotentAnswer,
    LedgerEntry,
    Payment,
    VoucherRedemption,
)
from billing.tests.api.conftest import Program, give_credits, make_program
from billing.tests.api.test_ground import check_problem
from billing.tests.processes import running_command
from billing.tests.threads import at_once
from billing.tests.vouchers import make_batch

DEBIT = {"amount": "12.5", "description": "Work"}


@dataclass(frozen=True)
class Asking:
    """One POST: whose program, where, with what, with what else the key would be refused, and what it brings."""

    program: Program
    path: str
    body: dict[str, Any]
    other: dict[str, Any]
    effects: Callable[[], int]

    def ask(self, **changes: Any) -> Any:
        return self.program.post(self.path, {**self.body, **changes}, key="one")


def _debit(program: Program, platform: Program) -> Asking:
    return Asking(program, "/debits", DEBIT, {"amount": 13}, LedgerEntry.objects.filter(kind="usage").count)


def _hold(program: Program, platform: Program) -> Asking:
    return Asking(program, "/holds", {"amount": 5}, {"amount": 6}, CreditHold.objects.count)


def _settle(program: Program, platform: Program) -> Asking:
    hold = program.post("/holds", {"amount": 5}, key="hold").json()["id"]
    effects = LedgerEntry.objects.filter(kind="usage", amount=-4).count
    return Asking(program, f"/holds/{hold}/settle", {"amount": 4}, {"amount": 3}, effects)


def _release(program: Program, platform: Program) -> Asking:
    hold = program.post("/holds", {"amount": 5}, key="hold").json()["id"]
    effects = CreditHold.objects.filter(state="released").count
    return Asking(program, f"/holds/{hold}/release", {}, {}, effects)


def _customer(program: Program, platform: Program) -> Asking:
    effects = BillingCustomer.objects.filter(external_id="user-17").count
    return Asking(platform, "/customers", {"external_id": "user-17"}, {"external_id": "user-18"}, effects)


def _checkout(program: Program, platform: Program) -> Asking:
    pack = CreditPack.objects.get().slug
    return Asking(program, "/checkout-sessions", {"pack": pack}, {"ui_mode": "hosted"}, Payment.objects.count)


def _staff_credits(program: Program, platform: Program) -> Asking:
    customer = BillingCustomer.objects.get(user=program.key.user).public_id
    body = {"customer": customer, "amount": 5, "reason_code": "goodwill", "note": "Sorry"}
    return Asking(platform, "/admin/credits", body, {"amount": 6}, Adjustment.objects.count)


def _voucher(program: Program, platform: Program) -> Asking:
    user = program.key.user
    assert user is not None
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    first, second = make_batch(code_count=2, uses_per_code=9, uses_per_customer=9).codes
    return Asking(program, "/vouchers/redeem", {"code": first}, {"code": second}, VoucherRedemption.objects.count)


ALL = [_debit, _hold, _settle, _release, _customer, _checkout, _staff_credits, _voucher]
ATOMIC = [_debit, _hold, _settle, _release, _customer]


@pytest.fixture
def asking(request: pytest.FixtureRequest, program: Program, platform: Program) -> Asking:
    if request.param is _checkout:
        request.getfixturevalue("pack")
        request.getfixturevalue("gateway")
    built: Asking = request.param(program, platform)
    return built


def each_post(acts: list[Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("asking", acts, indirect=True, ids=[act.__name__.strip("_") for act in acts])


def state_of_books() -> list[Any]:
    return [
        list(CreditBalance.objects.order_by("pk").values_list("pk", "posted", "held", "last_sequence")),
        list(CreditHold.objects.order_by("pk").values_list("pk", "state")),
        BillingCustomer.objects.count(),
        LedgerEntry.objects.count(),
        IdempotentAnswer.objects.count(),
    ]


@pytest.mark.django_db
@each_post(ALL)
def test_asking_again_gives_the_first_answer(asking: Asking) -> None:
    first = asking.ask()
    again = asking.ask()

    assert first.status_code in (200, 201), first.content
    assert not first.has_header("Idempotent-Replayed")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert asking.effects() == 1


@pytest.mark.django_db
@each_post([act for act in ALL if act is not _release])
def test_key_of_another_request_is_refused(asking: Asking) -> None:
    asking.ask()

    other = asking.ask(**asking.other)
    again = asking.ask()

    assert check_problem(other, status=422, code="idempotency_conflict")["key"] == "one"
    assert again["Idempotent-Replayed"] == "true"
    assert asking.effects() == 1


@pytest.mark.django_db(transaction=True)
@each_post(ALL)
def test_asking_at_the_same_time_acts_once(asking: Asking) -> None:
    answers = at_once(*[asking.ask] * 8)

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {200, 201, 409}, [answer.content for answer in answers]
    assert {200, 201} & set(statuses)
    done = {answer.content for answer in answers if answer.status_code != 409}
    assert len(done) == 1
    for answer in answers:
        if answer.status_code == 409:
            check_problem(answer, status=409, code="request_in_flight")
            assert answer["Retry-After"] == "1"
    assert asking.ask().content in done
    assert asking.effects() == 1


@pytest.mark.django_db(transaction=True)
@each_post(ATOMIC)
def test_killed_between_effect_and_answer_nothing_was_done(asking: Asking) -> None:
    before = state_of_books()
    arguments = (asking.program.text, f"/api/v1{asking.path}", json.dumps(asking.body))
    script = "billing/tests/api/crashing_program.py"

    with running_command(
        script, *arguments, redis_url=django_settings.REDIS_URL, stripe_api_base="http://127.0.0.1:9"
    ) as process:
        assert process.wait(timeout=60) == -signal.SIGKILL

    assert state_of_books() == before
    done = asking.ask()
    assert done.status_code in (200, 201), done.content
    assert not done.has_header("Idempotent-Replayed")
    assert asking.effects() == 1


@pytest.mark.django_db
@each_post(ATOMIC)
def test_failure_after_the_effect_undoes_it_and_leaves_the_key_free(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state_of_books()
    asking.program.client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr("billing.api.idempotency._keep", lambda **_: 1 / 0)
        failed = asking.ask()

    check_problem(failed, status=500, code="internal_error")
    assert state_of_books() == before
    assert asking.ask().status_code in (200, 201)
    assert asking.effects() == 1


@pytest.mark.django_db
def test_refusals_for_want_of_credits_leave_the_key_free(program: Program, buyer: BillingCustomer) -> None:
    body = {**DEBIT, "amount": 1500}

    refused = program.post("/debits", body)
    give_credits(buyer, 1000)
    done = program.post("/debits", body)

    check_problem(refused, status=402, code="insufficient_credits")
    assert (done.status_code, done.has_header("Idempotent-Replayed")) == (201, False)


@pytest.mark.django_db
def test_refusals_for_a_state_leave_the_key_free(program: Program) -> None:
    hold = program.post("/holds", {"amount": 5}, key="hold").json()["id"]
    program.post(f"/holds/{hold}/release", key="release")

    check_problem(program.post(f"/holds/{hold}/settle", {"amount": 5}), status=409, code="hold_ended")
    check_problem(program.post("/holds/hold_none/settle", {"amount": 5}), status=404, code="hold_not_found")
    check_problem(program.post("/debits", {"amount": 0, "description": "x"}), status=400, code="invalid_amount")

    assert program.post("/debits", DEBIT).status_code == 201


@pytest.mark.django_db
def test_ledger_remembers_keys_when_answers_are_gone(program: Program) -> None:
    first = program.post("/debits", DEBIT)
    IdempotentAnswer.objects.all().delete()

    again = program.post("/debits", DEBIT)

    assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (201, first.json(), "true")
    assert LedgerEntry.objects.filter(kind="usage").count() == 1


@pytest.mark.django_db
def test_conflicts_that_the_ledger_finds_are_kept(program: Program) -> None:
    program.post("/debits", DEBIT)
    IdempotentAnswer.objects.all().delete()

    first = program.post("/debits", {**DEBIT, "amount": 13})
    again = program.post("/debits", {**DEBIT, "amount": 13})

    check_problem(first, status=422, code="idempotency_conflict")
    check_problem(again, status=422, code="idempotency_conflict")
    assert (first.has_header("Idempotent-Replayed"), again["Idempotent-Replayed"]) == (False, "true")
    assert LedgerEntry.objects.filter(kind="usage").count() == 1


@pytest.mark.django_db
def test_amounts_spelled_otherwise_and_fields_in_another_order(program: Program) -> None:
    program.post("/debits", DEBIT)

    again = program.post("/debits", dict(reversed(DEBIT.items())))
    spelled = program.post("/debits", {**DEBIT, "amount": "12.50"})

    assert again["Idempotent-Replayed"] == "true"
    check_problem(spelled, status=422, code="idempotency_conflict")


@pytest.mark.django_db
def test_keys_of_others_are_other_keys(program: Program, buyer: BillingCustomer) -> None:
    program.post("/debits", DEBIT)

    of_the_same_customer = make_program(buyer.user).post("/debits", DEBIT)

    check_problem(of_the_same_customer, status=422, code="idempotency_conflict")


def fresh(program: Program) -> Program:
    """The same program by a client of its own, for a thread."""
    return Program(program.text, program.key, Client(enforce_csrf_checks=True))
