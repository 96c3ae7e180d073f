"""The free credits of a month: to whom they are due, once, until the month is over."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from accounts.api_keys import issue_key
from billing.models import BillingCustomer, CreditBalance, CreditGrant, LedgerEntry, Subscription
from billing.services.expiry import expire_lapsed_credits
from billing.services.free_plan import grant_free_plan
from billing.tests.plan_world import posted
from billing.tests.shop import make_customer
from billing.tests.threads import at_once

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, 0, 5, tzinfo=UTC)


@pytest.fixture
def traveller() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def make_seen(*, verified: bool = True, seen_at: datetime | None = START) -> BillingCustomer:
    customer = make_customer()
    assert customer.user is not None
    customer.user.last_login = seen_at
    customer.user.save()
    EmailAddress.objects.create(user=customer.user, email=customer.user.email, verified=verified, primary=True)
    return customer


def subscribe(customer: BillingCustomer, **fields: Any) -> None:
    Subscription.objects.create(
        customer=customer,
        subscription_id=f"sub_{customer.pk}",
        read_at=timezone.now(),
        **{"status": "active", **fields},
    )


def test_credits_come_with_the_first_month_after_sign_up_and_go_with_it(traveller: time_machine.Traveller) -> None:
    customer = make_seen()
    assert grant_free_plan(now=timezone.now()).granted == 0

    traveller.move_to(DECEMBER)
    assert grant_free_plan(now=timezone.now()).granted == 1
    assert grant_free_plan(now=timezone.now()).granted == 0

    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.amount, entry.idempotency_key) == ("free_allowance", Decimal(100), "free:2026-12")
    assert CreditGrant.objects.get().expires_at == datetime(2027, 1, 1, tzinfo=UTC)
    traveller.move_to(datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC))
    expire_lapsed_credits(now=timezone.now())
    assert posted(customer) == 0
    assert grant_free_plan(now=timezone.now()).granted == 1


def test_nobody_else_gets_them(traveller: time_machine.Traveller) -> None:
    make_seen(verified=False)
    make_seen(seen_at=START - timedelta(days=80))
    make_seen(seen_at=None)
    subscribe(make_seen())
    subscribe(make_seen(), status="past_due", past_due_since=DECEMBER - timedelta(days=1))
    inactive = make_seen()
    assert inactive.user is not None
    inactive.user.is_active = False
    inactive.user.save()

    assert grant_free_plan(now=DECEMBER).granted == 0


def test_who_lost_the_plan_is_free_again(traveller: time_machine.Traveller) -> None:
    subscribe(make_seen(), status="past_due", past_due_since=DECEMBER - timedelta(days=8))
    subscribe(make_seen(), status="canceled", ended_at=START)
    subscribe(make_seen(), quantity=0)

    assert grant_free_plan(now=DECEMBER).granted == 3


def test_a_key_that_is_used_counts_as_being_here(traveller: time_machine.Traveller) -> None:
    customer = make_seen(seen_at=None)
    assert customer.user is not None
    key = issue_key(user=customer.user, name="Product", scopes=["spend"]).key
    key.last_used_at = START
    key.save()

    assert grant_free_plan(now=DECEMBER).granted == 1


def test_a_dry_run_and_no_credits_grant_nothing(traveller: time_machine.Traveller, settings: Settings) -> None:
    make_seen()

    assert grant_free_plan(now=DECEMBER, dry_run=True).looked_at == 1
    settings.FREE_PLAN_CREDITS = 0
    assert grant_free_plan(now=DECEMBER).looked_at == 0

    assert not LedgerEntry.objects.exists()


def test_broken_books_of_one_keep_nobody_waiting(traveller: time_machine.Traveller) -> None:
    broken, whole = make_seen(), make_seen()
    CreditBalance.objects.filter(pk=broken.pk).update(posted=5)

    with pytest.raises(RuntimeError, match=rf"1 customers could not get free credits: \[{broken.pk}\]"):
        grant_free_plan(now=DECEMBER)

    assert [entry.customer for entry in LedgerEntry.objects.all()] == [whole]


def test_broken_books_are_a_finding_of_the_command(traveller: time_machine.Traveller) -> None:
    broken, whole = make_seen(), make_seen()
    CreditBalance.objects.filter(pk=broken.pk).update(posted=5)
    traveller.move_to(DECEMBER)
    told = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("grant_free_plan", stderr=told)

    assert ended.value.code == 1
    assert "Run reconcile_ledger" in told.getvalue()
    assert [entry.customer for entry in LedgerEntry.objects.all()] == [whole]


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_grant_once() -> None:
    customers = [make_seen(seen_at=timezone.now()) for _ in range(10)]
    BillingCustomer.objects.update(created_at=timezone.now() - timedelta(days=40))

    outcomes = at_once(*[lambda: grant_free_plan(now=timezone.now()).granted] * 4)

    assert sum(outcomes) == len(customers)
    assert LedgerEntry.objects.count() == len(customers)


def test_command_tells_what_it_does(traveller: time_machine.Traveller) -> None:
    make_seen()
    traveller.move_to(DECEMBER)

    said = [run_command(*arguments) for arguments in (["--dry-run"], [], ["--json"])]

    assert said[:2] == ["2026-12: due to 1 customers.", "2026-12: granted to 1 customers."]
    assert json.loads(said[2]) == {"month": "2026-12", "looked_at": 0, "granted": 0, "dry_run": False}


def run_command(*arguments: str) -> str:
    output = StringIO()
    call_command("grant_free_plan", *arguments, stdout=output)
    return output.getvalue().strip()
