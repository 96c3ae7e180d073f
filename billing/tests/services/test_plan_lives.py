"""How long an allowance lasts: what ends it, what keeps it, and what leaves it alone."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import transaction

from billing.kinds import EntryKind
from billing.ledger.shapes import Posting
from billing.models import (
    BillingCustomer,
    CreditGrant,
    LedgerEntry,
    Subscription,
)
from billing.services.holds import place_hold, settle_hold
from billing.services.plan_lives import end_with_subscription
from billing.services.posting import post
from billing.tests.plan_world import (
    Month,
    amounts,
    check_books,
    invoice,
    line,
    make_plan,
    posted,
    spend,
    tell,
)

pytestmark = pytest.mark.django_db
MONTH = Month()


def test_renewal_ends_what_is_left_of_the_period_before(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    spend(subscriber, 5_000)

    traveller.move_to(MONTH.at(1) + timedelta(minutes=5))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))]))

    assert posted(subscriber) == 20_000
    assert amounts(subscriber) == ["20000.000000", "-5000.000000", "20000.000000", "-15000.000000"]
    assert check_books() == {
        "cash_at_stripe": 3800,
        "deferred_revenue": -1900,
        "revenue": -475,
        "breakage": -1425,
    }


def test_late_invoice_of_an_earlier_period_does_not_bring_its_credits_back(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    first = invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))])
    second = invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))])
    traveller.move_to(MONTH.at(1) + timedelta(minutes=5))

    tell(second, first)

    assert posted(subscriber) == 20_000
    check_books()


@pytest.mark.parametrize(
    ("rule", "cap", "expected"), [("none", None, 20_000), ("capped", 6_000, 26_000), ("unlimited", None, 35_000)]
)
def test_allowances_roll_over_by_the_rule_of_the_plan(
    subscriber: BillingCustomer, traveller: time_machine.Traveller, rule: str, cap: int | None, expected: int
) -> None:
    make_plan("rolling", rank=3, rollover=rule, rollover_cap=cap)
    tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(0))]))
    spend(subscriber, 5_000)

    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(1))]))
    tell(invoice(subscriber, [line(0, "rolling", span=MONTH.span(1))]))

    assert posted(subscriber) == expected
    ends = set(CreditGrant.objects.filter(is_open=True).values_list("expires_at", flat=True))
    assert ends == {MONTH.at(2) + timedelta(days=3)}
    check_books()


def test_capped_rollover_keeps_the_newest_first(subscriber: BillingCustomer, traveller: time_machine.Traveller) -> None:
    make_plan("rolling", rank=3, rollover="capped", rollover_cap=25_000)
    for number in range(3):
        traveller.move_to(MONTH.at(number))
        tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(number))]))

    remaining = list(CreditGrant.objects.order_by("pk").values_list("remaining", flat=True))

    assert remaining == [5_000, 20_000, 20_000]
    assert posted(subscriber) == 45_000
    check_books()


def test_holds_keep_their_part_of_an_allowance_that_ends(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    hold = place_hold(customer_id=subscriber.pk, amount=4_000, key="api:work", lifetime=timedelta(days=40))

    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))]))
    assert posted(subscriber) == 24_000

    settle_hold(hold=hold.public_id, amount=1_000)

    assert posted(subscriber) == 20_000
    check_books()


def test_credits_last_some_days_longer_than_their_period_and_no_longer_after_the_end(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    grant = CreditGrant.objects.get()
    assert grant.expires_at == MONTH.at(1) + timedelta(days=3)

    Subscription.objects.create(
        customer=subscriber,
        subscription_id="sub_1",
        status="canceled",
        ended_at=MONTH.at(0, day=5),
        read_at=MONTH.at(0),
    )
    with transaction.atomic():
        end_with_subscription(customer_id=subscriber.pk, subscription_id="sub_1")
        end_with_subscription(customer_id=subscriber.pk, subscription_id="sub_1")

    grant.refresh_from_db()
    assert grant.expires_at == MONTH.at(1)
    assert posted(subscriber) == 20_000
    check_books()


def test_change_that_is_not_paid_ends_nothing(subscriber: BillingCustomer, traveller: time_machine.Traveller) -> None:
    make_plan("rolling", rank=3, rollover="unlimited")
    for number in (0, 1):
        traveller.move_to(MONTH.at(number))
        tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(number))]))
    assert posted(subscriber) == 40_000
    change = [line(-950, "rolling", span=MONTH.span(1, day=15)), line(2450, "pro_plus", span=MONTH.span(1, day=15))]

    tell(replace(invoice(subscriber, change), status="open", paid_at=None, amount_paid_minor=0))

    assert posted(subscriber) == 40_000


def test_year_that_became_a_month_does_not_end_the_month(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    make_plan("yearly", price=(19_000, Decimal(240_000)), rank=1, interval="year")
    year = (MONTH.at(0), MONTH.at(0) + timedelta(days=365))
    tell(invoice(subscriber, [line(19_000, "yearly", span=year)]))
    traveller.move_to(MONTH.at(1))
    rest = (MONTH.at(1), year[1])

    tell(invoice(subscriber, [line(-17_438, "yearly", span=rest), line(4900, "pro_plus", span=MONTH.span(1))]))

    assert posted(subscriber) == 60_000
    traveller.move_to(MONTH.at(2))
    tell(invoice(subscriber, [line(4900, "pro_plus", span=MONTH.span(2))], from_balance_minor=4900))
    assert posted(subscriber) == 60_000
    check_books()


def test_old_allowance_that_a_correction_fills_is_not_ended_again(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    spend(subscriber, 20_000)
    used = LedgerEntry.objects.get(kind="usage")
    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))]))
    post(
        posting=Posting(
            customer_id=subscriber.pk,
            kind=EntryKind.USAGE_CORRECTION,
            amount=Decimal(5_000),
            key="correction:1",
            corrects_id=used.pk,
            description="Charged too much",
        )
    )

    tell(invoice(subscriber, [line(0, "pro", span=MONTH.span(1))]))

    assert posted(subscriber) == 25_000
    check_books()


def test_end_of_a_subscription_leaves_what_rolled_over_until_its_period_ends(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    make_plan("rolling", rank=3, rollover="unlimited")
    for number in (0, 1):
        traveller.move_to(MONTH.at(number))
        tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(number))]))

    traveller.move_to(MONTH.at(1, day=10))
    with transaction.atomic():
        end_with_subscription(customer_id=subscriber.pk, subscription_id="sub_1")

    assert posted(subscriber) == 40_000
    assert set(CreditGrant.objects.values_list("expires_at", flat=True)) == {MONTH.at(2)}


def test_what_rolls_over_late_lives_as_long_as_the_new_allowance_did(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    """The invoice of the first period is paid when the second period's allowance is used up already."""
    make_plan("rolling", rank=3, rollover="unlimited")
    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(1))]))
    spend(subscriber, 20_000)

    tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(0))], paid_at=MONTH.at(1)))

    grant = CreditGrant.objects.get(is_open=True)
    assert (posted(subscriber), grant.expires_at) == (20_000, MONTH.at(2) + timedelta(days=3))
    check_books()
