"""The ledger against itself: whoever moved is looked at, and whose books do not close may not spend."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F
from django.utils import timezone

from billing.errors import CustomerFrozen
from billing.kinds import EntryKind
from billing.models import (
    BillingCustomer,
    CreditBalance,
    CreditHold,
    CustomerFlag,
    FindingState,
    ReconciliationFinding,
    ReconciliationRun,
    RunState,
    RunTrigger,
    Severity,
)
from billing.services.customers import unfreeze_customer
from billing.services.findings import accept_finding
from billing.services.holds import place_hold
from billing.services.posting import Posting, post
from billing.services.reconciliation.ledger_run import reconcile_ledger
from billing.services.reconciliation.schedule import verify_on_schedule
from billing.tests.services.money_back import make_staff
from billing.tests.shop import make_customer

pytestmark = pytest.mark.django_db


def look(*, is_recent: bool = True) -> ReconciliationRun:
    """One look, a minute after the one before."""
    ReconciliationRun.objects.update(started_at=F("started_at") - timedelta(minutes=2))
    return reconcile_ledger(trigger=RunTrigger.COMMAND, is_recent=is_recent)[0]


def give(customer: BillingCustomer, amount: int, *, key: str, kind: EntryKind = EntryKind.PROMOTION) -> None:
    post(posting=Posting(customer_id=customer.pk, kind=kind, amount=Decimal(amount), key=key))


def break_books(customer: BillingCustomer) -> None:
    CreditBalance.objects.filter(pk=customer.pk).update(posted=F("posted") + 7)


def is_frozen(customer: BillingCustomer) -> bool:
    return CreditBalance.objects.get(pk=customer.pk).frozen_at is not None


def test_first_look_is_at_everybody(customer: BillingCustomer) -> None:
    make_customer()

    run = look()

    assert (run.state, run.counts["objects"]["customers"]) == (RunState.CLEAN, 2)


def test_later_looks_are_at_whoever_moved(customer: BillingCustomer) -> None:
    other = make_customer()
    give(customer, 100, key="api:1")
    give(other, 100, key="api:1")
    look()

    give(other, 1, key="api:2")
    assert look().counts["objects"]["customers"] == 1
    place_hold(customer_id=customer.pk, amount=Decimal(5), key="api:3")
    assert look().counts["objects"]["customers"] == 1
    assert CreditHold.objects.count() == 1
    assert look().counts["objects"]["customers"] == 0


def test_entry_that_was_under_way_at_the_last_look_is_seen_by_the_next(customer: BillingCustomer) -> None:
    look()
    give(customer, 100, key="api:1")
    reconcile_ledger(trigger=RunTrigger.COMMAND, is_recent=True)  # within the minute that a write may take

    run, _ = reconcile_ledger(trigger=RunTrigger.COMMAND, is_recent=True)

    assert run.counts["objects"]["customers"] == 1


def test_books_that_do_not_close_freeze_and_are_found(customer: BillingCustomer) -> None:
    give(customer, 100, key="api:1")
    break_books(customer)

    run = look()

    finding = ReconciliationFinding.objects.filter(kind="books_do_not_close").first()
    assert finding is not None
    assert (run.state, finding.severity, finding.customer) == (RunState.FINDINGS, Severity.CRITICAL, customer)
    assert is_frozen(customer)
    with pytest.raises(CustomerFrozen):
        give(customer, -1, key="api:2", kind=EntryKind.USAGE)


def test_freeze_stays_when_the_books_close_again(customer: BillingCustomer) -> None:
    give(customer, 100, key="api:1")
    break_books(customer)
    look()
    CreditBalance.objects.filter(pk=customer.pk).update(posted=100)

    run = look()

    assert (run.state, run.counts["gone"] > 0) == (RunState.CLEAN, True)
    assert set(ReconciliationFinding.objects.values_list("state", flat=True)) == {FindingState.GONE}
    assert is_frozen(customer)
    unfreeze_customer(customer_id=customer.pk, reason="A row was changed by hand, and is right again.")
    look()
    assert not is_frozen(customer)


def test_faulty_customer_is_looked_at_until_it_is_right(customer: BillingCustomer) -> None:
    give(customer, 100, key="api:1")
    break_books(customer)
    look()

    again = look()

    assert (again.counts["objects"]["customers"], again.counts["new"]) == (1, 0)
    assert CustomerFlag.objects.count() == 1


def test_accepted_fault_freezes_nobody(customer: BillingCustomer) -> None:
    give(customer, 100, key="api:1")
    break_books(customer)
    look()
    for finding in ReconciliationFinding.objects.all():
        accept_finding(finding=finding, actor=make_staff(), reason="Known, and harmless.")
    unfreeze_customer(customer_id=customer.pk, reason="Known, and harmless.")

    look(is_recent=False)

    assert not is_frozen(customer)


def test_full_look_finds_what_was_changed_past_the_ledger(customer: BillingCustomer) -> None:
    give(customer, 100, key="api:1")
    look()
    look()
    break_books(customer)

    assert look().state == RunState.CLEAN
    assert look(is_recent=False).state == RunState.FINDINGS


def test_schedule_skips_a_minute_in_which_nothing_moved(customer: BillingCustomer) -> None:
    assert verify_on_schedule(is_recent=True) is not None
    ReconciliationRun.objects.update(started_at=timezone.now() - timedelta(minutes=2))
    assert verify_on_schedule(is_recent=True) is None

    give(customer, 100, key="api:1")
    assert verify_on_schedule(is_recent=True) is not None

    ReconciliationRun.objects.update(started_at=timezone.now() - timedelta(minutes=20))
    assert verify_on_schedule(is_recent=True) is not None
