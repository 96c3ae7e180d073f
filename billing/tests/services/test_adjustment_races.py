"""Fifty requests and two approvers at once, with real connections: limits hold, one decision wins."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Sum

from accounts.models import User
from billing.errors import ApprovalEnded, BillingError
from billing.ledger.verification import verify_ledger
from billing.models import Adjustment, AuditEntry, BillingCustomer, CreditBalance, LedgerEntry
from billing.services.adjustments import (
    approve_adjustment,
    decline_adjustment,
    expire_adjustments,
    request_adjustment,
)
from billing.tests.ledger import race_workers
from billing.tests.services import adjustment_workers
from billing.tests.shop import make_customer
from billing.tests.threads import answers_at_once

PARALLEL = 50
PROCESSES = 5

pytestmark = pytest.mark.django_db(transaction=True)


def make_staff(number: int) -> User:
    user = User.objects.create_user(f"staff-{number}@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["adjust_credits", "approve_credits"]))
    return user


def ask(customer: BillingCustomer, actor: User, amount: int, form_key: str, **changes: Any) -> Adjustment:
    fresh = User.objects.get(pk=actor.pk)  # permissions are cached on the object, which threads must not share
    return request_adjustment(
        customer=customer,
        actor=fresh,
        amount=Decimal(amount),
        form_key=form_key,
        address="203.0.113.7",
        **{"reason_code": "goodwill", "note": "Race", **changes},
    ).adjustment


def posted_alone(**filters: Any) -> Decimal:
    chosen = Adjustment.objects.filter(needs_approval=False, **filters)
    return Decimal(chosen.aggregate(sum=Sum("amount"))["sum"] or 0)


def test_day_of_one_person_holds_under_fifty_requests_of_processes() -> None:
    agent, customers = make_staff(1), [make_customer() for _ in range(PROCESSES)]
    with ProcessPoolExecutor(
        max_workers=PROCESSES,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=race_workers.join_database,
        initargs=(connection.settings_dict["NAME"],),
    ) as pool:
        asked = pool.map(
            adjustment_workers.ask_again_and_again,
            [customer.pk for customer in customers],
            [agent.pk] * PROCESSES,
            ["300"] * PROCESSES,
            [PARALLEL // PROCESSES] * PROCESSES,
        )
        states = [state for of_one in asked for state in of_one]

    assert (states.count("posted"), states.count("waiting")) == (16, 34)
    assert posted_alone(requested_by=agent) == 4800
    assert LedgerEntry.objects.aggregate(sum=Sum("amount"))["sum"] == 4800
    assert AuditEntry.objects.count() == PARALLEL
    assert list(verify_ledger()) == []


def test_day_of_all_staff_holds_under_fifty_connections(settings: Any) -> None:
    settings.STAFF_CREDIT_DAILY_TOTAL = 4000
    customer, staff = make_customer(), [make_staff(number) for number in range(10)]

    answers = answers_at_once(
        *[lambda number=number: ask(customer, staff[number % 10], 700, f"form-{number}") for number in range(PARALLEL)]
    )

    states = [answer.state for answer in answers if isinstance(answer, Adjustment)]
    assert (states.count("posted"), states.count("waiting")) == (5, 45)
    assert posted_alone() == 3500
    assert CreditBalance.objects.get(pk=customer.pk).posted == 3500


def test_one_form_from_fifty_connections_acts_once() -> None:
    customer, agent = make_customer(), make_staff(1)

    answers = answers_at_once(*[lambda: ask(customer, agent, 10, "one")] * PARALLEL)

    assert {answer.pk for answer in answers if isinstance(answer, Adjustment)} == {Adjustment.objects.get().pk}
    assert CreditBalance.objects.get(pk=customer.pk).posted == 10


@pytest.mark.parametrize("turn", range(5))
def test_of_two_approvers_at_once_one_wins(turn: int) -> None:
    customer, agent = make_customer(), make_staff(1)
    waiting = ask(customer, agent, 5000, "large").public_id
    approvers = [make_staff(2), make_staff(3)]

    answers = answers_at_once(
        *[
            lambda actor=actor: approve_adjustment(adjustment_id=waiting, actor=actor, address="203.0.113.7")
            for actor in approvers
        ]
    )

    won, lost = sorted(answers, key=lambda answer: isinstance(answer, BillingError))
    assert isinstance(won, Adjustment)
    assert isinstance(lost, ApprovalEnded)
    assert str(lost) == f"{waiting} is approved already. Nothing was changed now."
    assert won.approved_by in approvers
    assert CreditBalance.objects.get(pk=customer.pk).posted == 5000
    assert list(AuditEntry.objects.filter(action="adjustment.approve").values_list("actor", flat=True)) == [
        won.approved_by_id
    ]


@pytest.mark.parametrize("turn", range(5))
def test_approving_against_declining_and_expiring_ends_it_once(turn: int) -> None:
    customer, agent, boss, other = make_customer(), make_staff(1), make_staff(2), make_staff(3)
    waiting = ask(customer, agent, 5000, "large")
    assert waiting.decide_until is not None
    late = waiting.decide_until

    answers = answers_at_once(
        *[
            lambda: approve_adjustment(adjustment_id=waiting.public_id, actor=boss, address="") and 1,
            lambda: decline_adjustment(adjustment_id=waiting.public_id, actor=other, address="", note="No") and 1,
            lambda: expire_adjustments(now=late),
        ]
    )

    ended = Adjustment.objects.get(pk=waiting.pk)
    assert [answer for answer in answers if answer == 1] == [1]
    assert ended.state in ("posted", "declined", "expired")
    assert CreditBalance.objects.get(pk=customer.pk).posted == (5000 if ended.state == "posted" else 0)
    assert AuditEntry.objects.count() == 2
