"""`expire_credits` and `release_stale_holds`: what the sweeper does, by hand."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from billing.ledger.verification import verify_ledger
from billing.models import BillingCustomer, CreditBalance, CreditHold, LedgerEntry
from billing.services.holds import place_hold
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import balance_of, give

COMMANDS = ["expire_credits", "release_stale_holds"]
SOON = timedelta(microseconds=1)


@pytest.fixture
def stale(db: None) -> list[BillingCustomer]:
    """Three customers, each with ten credits that lapse at once and a hold whose time is over at once."""
    customers = [make_customer() for _ in range(3)]
    for customer in customers:
        give(customer, 5)
        place_hold(customer_id=customer.pk, amount=5, key="api:hold", lifetime=SOON)
        give(customer, 10)
    lapsed = timezone.now() - timedelta(days=1)
    for customer in customers:
        customer.grants.filter(amount=10).update(expires_at=lapsed)
        CreditBalance.objects.filter(pk=customer.pk).update(next_expiry_at=lapsed)
    return customers


def run(command: str, *arguments: str) -> tuple[int, str]:
    """Exit code and output."""
    out = StringIO()
    try:
        call_command(command, *arguments, stdout=out, stderr=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_lapsed_credits_expire(stale: list[BillingCustomer]) -> None:
    assert run("expire_credits") == (0, "3 customers expired.\n")
    assert run("expire_credits") == (0, "0 customers expired.\n")

    assert [balance_of(customer).posted for customer in stale] == [5, 5, 5]
    assert list(verify_ledger()) == []


def test_stale_holds_end(stale: list[BillingCustomer]) -> None:
    assert run("release_stale_holds") == (0, "3 holds ended.\n")
    assert run("release_stale_holds") == (0, "0 holds ended.\n")

    assert set(CreditHold.objects.values_list("state", flat=True)) == {"expired"}
    assert [balance_of(customer).held for customer in stale] == [0, 0, 0]


@pytest.mark.parametrize(
    ("command", "line"),
    [("expire_credits", "3 customers would be looked at.\n"), ("release_stale_holds", "3 holds would end.\n")],
)
def test_a_dry_run_changes_nothing(stale: list[BillingCustomer], command: str, line: str) -> None:
    assert run(command, "--dry-run") == (0, line)

    assert LedgerEntry.objects.filter(kind="expiry").count() == 0
    assert CreditHold.objects.filter(state="open").count() == 3


@pytest.mark.parametrize(("command", "noun"), [("expire_credits", "customers"), ("release_stale_holds", "holds")])
def test_json_and_limit(stale: list[BillingCustomer], command: str, noun: str) -> None:
    assert json.loads(run(command, "--json", "--limit", "2")[1]) == {noun: 2, "dry_run": False}
    assert json.loads(run(command, "--json", "--dry-run")[1]) == {noun: 1, "dry_run": True}


@pytest.mark.parametrize("command", COMMANDS)
def test_broken_books_are_a_finding_and_the_rest_is_done(stale: list[BillingCustomer], command: str) -> None:
    CreditBalance.objects.filter(pk=stale[0].pk).update(posted=7)

    code, output = run(command)

    assert code == 1
    assert "reconcile_ledger" in output
    done = balance_of(stale[1])
    assert done.posted == 5 if command == "expire_credits" else done.held == 0


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_is_a_whole_number_from_one(command: str, limit: str) -> None:
    with pytest.raises(CommandError, match="no whole number"):
        call_command(command, "--limit", limit)


@pytest.mark.django_db
@pytest.mark.parametrize("command", [*COMMANDS, "export_ledger", "reconcile_ledger"])
def test_a_database_that_fails_is_an_error_and_no_finding(command: str) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("the server is gone")

    with connection.execute_wrapper(fail), pytest.raises(CommandError, match="the server is gone") as error:
        call_command(command, stdout=StringIO())

    assert error.value.returncode == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("command", COMMANDS)
def test_twice_at_once_does_everything_once(stale: list[BillingCustomer], command: str) -> None:
    start = threading.Barrier(2)

    def run_with_the_other(_: int) -> int:
        start.wait()
        try:
            return run(command)[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run_with_the_other, range(2))) == [0, 0]

    assert LedgerEntry.objects.filter(kind="expiry").count() == 3
    assert {balance_of(customer).posted for customer in stale} == {5}
    assert list(verify_ledger()) == []
