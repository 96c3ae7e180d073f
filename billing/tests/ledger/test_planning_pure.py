"""The planner alone: without Django, and what a plain read must agree with."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InsufficientCredits
from billing.kinds import EntryKind, HoldState
from billing.ledger.lapsing import keep_for_holds
from billing.ledger.planning import check_books, plan_hold, plan_posting
from billing.ledger.shapes import Account, Grant, Hold, Posting
from billing.models import CreditBalance, CreditGrant, CreditHold, LedgerEntry
from billing.selectors.balances import read_balance
from billing.tests.ledger.factories import make_customer

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 20, tzinfo=UTC)
ZERO = Decimal(0)


def at(hour: int) -> datetime:
    return NOW + timedelta(hours=hour)


@pytest.mark.parametrize("module", ["planning", "returning", "shapes"])
def test_the_rules_import_without_django(module: str) -> None:
    """In a fresh interpreter that has no settings and cannot import Django."""
    script = f"import sys; sys.modules['django'] = None; import billing.ledger.{module}"
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}

    answer = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr


# An account: grants as (credits, hour of expiry or None), open holds as (credits, hour when placed).
GRANTS = st.lists(st.tuples(st.integers(1, 20), st.one_of(st.none(), st.integers(-10, 5))), max_size=6)
HOLDS = st.lists(st.tuples(st.integers(1, 20), st.integers(-12, -1)), max_size=5)


def account_of(grants: list[tuple[int, int | None]], holds: list[tuple[int, int]]) -> Account:
    account = Account(
        customer_id=1,
        posted=Decimal(sum(size for size, _ in grants)),
        held=Decimal(sum(size for size, _ in holds)),
        overdraft_limit=ZERO,
        last_sequence=len(grants),
        grants=[
            Grant(number, Decimal(size), Decimal(size), 10, None if hour is None else at(hour), number)
            for number, (size, hour) in enumerate(grants, 1)
        ],
        open_holds=[
            Hold(number, f"hold_{number}", Decimal(size), HoldState.OPEN, at(hour), at(24))
            for number, (size, hour) in enumerate(holds, 1)
        ],
    )
    account.sort_grants()
    return account


@given(grants=GRANTS, holds=HOLDS)
def test_holds_keep_no_more_than_they_add_up_to_and_never_a_live_grant(
    grants: list[tuple[int, int | None]], holds: list[tuple[int, int]]
) -> None:
    account = account_of(grants, holds)

    kept = keep_for_holds(grants=account.grants, holds=account.open_holds, now=NOW)

    assert {grant.ref for grant, _ in kept} == {grant.ref for grant in account.grants if grant.has_lapsed(NOW)}
    assert all(ZERO <= share <= grant.remaining for grant, share in kept)
    for moment in {grant.expires_at for grant, _ in kept if grant.expires_at}:
        backing = sum(hold.amount for hold in account.open_holds if hold.placed_at < moment)
        assert sum(share for grant, share in kept if grant.expires_at and grant.expires_at <= moment) <= backing


@pytest.mark.django_db
@given(grants=GRANTS, holds=HOLDS)
def test_a_plain_read_takes_off_exactly_what_the_planner_would_expire(
    grants: list[tuple[int, int | None]], holds: list[tuple[int, int]]
) -> None:
    account = account_of(grants, holds)
    kept = keep_for_holds(grants=account.grants, holds=account.open_holds, now=NOW)
    lost = sum((grant.remaining - share for grant, share in kept), ZERO)
    still_to_come = [grant.expires_at for grant in account.grants if grant.expires_at and grant.expires_at > NOW]

    with transaction.atomic():
        balance = read_balance(customer_id=_store(account), now=NOW)
        transaction.set_rollback(True)

    assert balance is not None
    assert balance.posted == account.posted - lost
    if balance.next_expiry_at is not None or still_to_come:
        assert balance.next_expiry_at == min(still_to_come)


def _store(account: Account) -> int:
    """Put the account into the database just so: a state between two writes."""
    customer = make_customer()
    CreditBalance.objects.filter(pk=customer.pk).update(
        posted=account.posted, held=account.held, next_expiry_at=account.next_expiry_at()
    )
    for grant in account.grants:
        entry = LedgerEntry.objects.create(
            customer=customer,
            sequence=grant.ref,
            kind="promotion",
            amount=grant.amount,
            balance_after=0,
            idempotency_key=str(grant.ref),
            occurred_at=NOW,
            created_at=NOW,
        )
        CreditGrant.objects.create(
            customer=customer,
            entry=entry,
            kind="promotion",
            amount=grant.amount,
            remaining=grant.remaining,
            priority=grant.priority,
            expires_at=grant.expires_at,
            created_at=NOW,
        )
    for hold in account.open_holds:
        CreditHold.objects.create(
            customer=customer,
            amount=hold.amount,
            placed_at=hold.placed_at,
            expires_at=hold.expires_at,
            idempotency_key=str(hold.ref),
            request_hash="",
        )
    return customer.pk


# Refusals leave an account as it was


@pytest.mark.parametrize("amount", [-11, -100])
def test_a_refused_posting_plans_nothing(amount: int) -> None:
    account = account_of([(10, None)], [])
    posting = Posting(customer_id=1, kind=EntryKind.USAGE, amount=Decimal(amount), key="api:x")

    with pytest.raises(InsufficientCredits):
        plan_posting(account=account, posting=posting, now=NOW)

    assert (account.entries, account.allocations, account.posted, account.known_keys) == ([], [], 10, {})


def test_a_refused_hold_sets_nothing_aside() -> None:
    account = account_of([(10, None)], [])

    with pytest.raises(InsufficientCredits):
        plan_hold(account=account, amount=Decimal("10.000001"), now=NOW)

    assert account.held == 0


@pytest.mark.parametrize("field", ["posted", "held"])
def test_books_that_do_not_add_up_are_never_written(field: str) -> None:
    account = account_of([(10, None)], [])
    setattr(account, field, Decimal(-1))

    with pytest.raises(RuntimeError, match="Nothing was written"):
        check_books(account)
