"""Balances, grants and claw-backs are announced by the database: once per crossing, whichever statement writes."""

from datetime import UTC, datetime
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction

from billing.kinds import EntryKind
from billing.models import BillingCustomer, CreditBalance, Notice, NotificationPreferences
from billing.services.holds import place_hold, release_hold, settle_hold
from billing.services.posting import Posting, post_many
from billing.services.preferences import align_thresholds, set_threshold
from billing.tests.processes import wait_until
from billing.tests.shop import make_customer
from billing.tests.threads import at_once
from billing.tests.views.rows import add_entry, make_payment

pytestmark = pytest.mark.django_db


def crossings(customer: BillingCustomer) -> list[str]:
    rows = Notice.objects.filter(customer=customer, event__startswith="balance.").order_by("pk")
    return [event.removeprefix("balance.") for event in rows.values_list("event", flat=True)]


def use(customer: BillingCustomer, amount: str) -> None:
    add_entry(customer, f"-{amount}", kind=EntryKind.USAGE)


def take_back(customer: BillingCustomer, amount: str) -> None:
    add_entry(customer, f"-{amount}", kind=EntryKind.REFUND, payment_id=make_payment(customer).pk)


def test_falling_below_the_threshold_is_told_once(customer: BillingCustomer) -> None:
    add_entry(customer, "150")
    use(customer, "50")
    assert crossings(customer) == []

    use(customer, "0.000001")
    use(customer, "10")

    assert crossings(customer) == ["low"]
    assert Notice.objects.get(event="balance.low").payload == {
        "available": "99.999999",
        "posted": "99.999999",
        "held": "0.000000",
        "threshold": "100.000000",
        "debt": "0.000000",
    }


def test_zero_and_debt_are_told_each(customer: BillingCustomer) -> None:
    add_entry(customer, "50")
    use(customer, "50")
    take_back(customer, "20")
    take_back(customer, "5")

    assert crossings(customer) == ["depleted", "debt"]
    assert Notice.objects.get(event="balance.debt").payload["debt"] == "20.000000"


def test_one_fall_through_all_is_told_as_each_of_them(customer: BillingCustomer) -> None:
    add_entry(customer, "150")
    take_back(customer, "200")

    assert crossings(customer) == ["low", "depleted", "debt"]


def test_recovery_is_told_once_and_the_next_fall_again(customer: BillingCustomer) -> None:
    add_entry(customer, "150")
    use(customer, "140")
    add_entry(customer, "10")
    assert crossings(customer) == ["low"]

    add_entry(customer, "100")
    add_entry(customer, "100")
    use(customer, "150")

    assert crossings(customer) == ["low", "recovered", "low"]


def test_first_credits_are_no_recovery(customer: BillingCustomer) -> None:
    add_entry(customer, "500")

    assert crossings(customer) == []


def test_holds_that_come_and_go_tell_nothing_and_their_settlement_does(customer: BillingCustomer) -> None:
    add_entry(customer, "150")
    for number in range(3):
        hold = place_hold(customer_id=customer.pk, amount=150, key=f"test:{number}")
        release_hold(hold=hold.public_id)
    assert crossings(customer) == []

    hold = place_hold(customer_id=customer.pk, amount=150, key="test:last")
    settle_hold(hold=hold.public_id, amount=60)

    assert crossings(customer) == ["low"]


def test_a_batch_tells_its_outcome_once(customer: BillingCustomer) -> None:
    add_entry(customer, "150")
    debits = [
        Posting(customer_id=customer.pk, kind=EntryKind.USAGE, amount=Decimal(-10), key=f"test:batch:{number}")
        for number in range(9)
    ]

    post_many(postings=debits)

    assert crossings(customer) == ["low"]


def test_own_threshold_counts_and_setting_it_is_no_crossing(customer: BillingCustomer) -> None:
    add_entry(customer, "500")
    set_threshold(customer_id=customer.pk, threshold=Decimal(1000))
    assert crossings(customer) == []
    add_entry(customer, "600")
    use(customer, "101")
    set_threshold(customer_id=customer.pk, threshold=Decimal(0))
    use(customer, "990")

    assert crossings(customer) == ["low"]


def test_a_lower_threshold_ends_a_fall_without_a_word(customer: BillingCustomer, settings: Any) -> None:
    add_entry(customer, "150")
    use(customer, "100")
    settings.LOW_BALANCE_THRESHOLD = 20
    align_thresholds()
    assert crossings(customer) == ["low"]

    add_entry(customer, "1")
    use(customer, "40")

    assert crossings(customer) == ["low", "low"]


def test_the_installations_threshold_follows_the_variable(settings: Any, customer: BillingCustomer) -> None:
    own = make_customer()
    set_threshold(customer_id=own.pk, threshold=Decimal(7))
    settings.LOW_BALANCE_THRESHOLD = 20

    assert align_thresholds() == 1
    assert align_thresholds() == 0

    rows = CreditBalance.objects.filter(pk__in=[customer.pk, own.pk]).order_by("pk")
    assert list(rows.values_list("low_threshold", flat=True)) == [20, 7]
    set_threshold(customer_id=own.pk, threshold=None)
    assert NotificationPreferences.objects.get(pk=own.pk).low_threshold is None
    assert CreditBalance.objects.get(pk=own.pk).low_threshold == 20


@pytest.mark.django_db(transaction=True)
def test_twenty_spends_at_once_tell_one_fall() -> None:
    customer = make_customer()
    add_entry(customer, "110")

    at_once(*[lambda: use(customer, "5") for _ in range(20)])

    assert crossings(customer) == ["low"]


def test_grants_are_told_with_what_they_brought(customer: BillingCustomer) -> None:
    lapses = datetime(2030, 1, 1, tzinfo=UTC)
    payment = make_payment(customer)
    add_entry(customer, "10.5", expires_at=lapses)
    add_entry(customer, "1000", kind=EntryKind.PURCHASE, payment_id=payment.pk)

    promised, bought = Notice.objects.filter(event="credits.granted").order_by("pk")
    assert promised.payload == {
        "kind": "promotion",
        "amount": "10.500000",
        "balance_after": "10.500000",
        "payment": None,
        "expires_at": "2030-01-01T00:00:00.000000+00:00",
    }
    assert datetime.fromisoformat(promised.payload["expires_at"]) == lapses
    assert (bought.payload["kind"], bought.payload["payment"]) == ("purchase", payment.public_id)
    assert bought.public_id.startswith("evt_")


def test_claw_backs_are_told_and_spending_is_not(customer: BillingCustomer) -> None:
    add_entry(customer, "500")
    use(customer, "5")
    take_back(customer, "100")

    notice = Notice.objects.get(event="credits.clawed_back")
    assert notice.payload["amount"] == "100.000000"
    assert notice.payload["balance_after"] == "395.000000"
    assert notice.payload["kind"] == "refund"
    assert notice.payload["payment"].startswith("pay_")


@pytest.mark.django_db(transaction=True)
def test_a_threshold_that_is_set_while_others_are_aligned_is_kept(settings: Any) -> None:
    customer = make_customer()
    settings.LOW_BALANCE_THRESHOLD = 70  # so the balance is one that is to be aligned
    is_set = Event()

    def set_own() -> int:
        with transaction.atomic():
            set_threshold(customer_id=customer.pk, threshold=Decimal(5))
            is_set.set()
            wait_until(_somebody_waits_for_us, seconds=20)
        return 0

    def align() -> int:
        assert is_set.wait(20)
        return align_thresholds()

    assert at_once(set_own, align) == [0, 0]
    assert CreditBalance.objects.get().low_threshold == 5


def _somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])
