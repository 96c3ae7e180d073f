"""Corrections by several people at once, beside spending, and by a process that is killed."""

import multiprocessing
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from billing.errors import CorrectionNotPossible
from billing.kinds import EntryKind
from billing.models import BillingCustomer, LedgerEntry, PricingConfig
from billing.services.verification import find_ledger_faults
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import balance_of, buy
from billing.tests.threads import answers_at_once, at_once
from usage.models import CorrectedUsage, UsageCorrection
from usage.selectors import corrections as selectors
from usage.selectors.corrections import CorrectionTerms
from usage.services.corrections import apply_correction, reverse_correction
from usage.tests.correction_workers import correct_and_die
from usage.tests.corrections import MODEL, call, make_price

pytestmark = pytest.mark.django_db(transaction=True)
CALLS = 12


@pytest.fixture
def buyers(monkeypatch: pytest.MonkeyPatch) -> list[BillingCustomer]:
    """Two customers with six calls each, charged 35 credits a call, and pages of two calls."""
    monkeypatch.setattr(selectors, "CALLS_PER_PAGE", 2)
    make_price(input_usd="0.025")
    customers = [make_customer() for _ in range(2)]
    for customer in customers:
        buy(customer, 1000)
        for _ in range(CALLS // 2):
            call(customer)
    return customers


def terms_of(price: PricingConfig) -> CorrectionTerms:
    now = timezone.now()
    since, until = now - timedelta(days=1), now + timedelta(days=1)
    return CorrectionTerms(model=MODEL, since=since, until=until, price=price)


def test_four_people_with_the_same_correction_correct_each_call_once(buyers: list[BillingCustomer]) -> None:
    terms = terms_of(make_price(input_usd="0.0025"))

    done = at_once(*[lambda: apply_correction(terms=terms, reason="Wrong", actor=None)] * 4)

    assert {each.pk for each in done if each} == {UsageCorrection.objects.get().pk}
    assert CorrectedUsage.objects.count() == CALLS
    assert LedgerEntry.objects.filter(kind=EntryKind.USAGE_CORRECTION).count() == CALLS
    assert [balance_of(buyer).posted for buyer in buyers] == [979, 979]
    assert list(find_ledger_faults()) == []


def test_of_two_different_corrections_at_once_no_call_is_left_between(buyers: list[BillingCustomer]) -> None:
    cheap, dear = terms_of(make_price(input_usd="0.0025")), terms_of(make_price(input_usd="0.05"))

    done = answers_at_once(
        *[lambda terms=terms: apply_correction(terms=terms, reason="Wrong", actor=None) for terms in (cheap, dear)]
    )

    corrections = [each for each in done if isinstance(each, UsageCorrection)]
    assert corrections
    assert all(isinstance(each, UsageCorrection | CorrectionNotPossible) for each in done)
    last = max(corrections, key=lambda each: each.pk)
    charged = Decimal("3.5") if last.price == cheap.price else Decimal(70)
    assert [balance_of(buyer).posted for buyer in buyers] == [1000 - CALLS // 2 * charged] * 2
    assert list(find_ledger_faults()) == []


def test_two_reversals_at_once_take_back_once(buyers: list[BillingCustomer]) -> None:
    correction = apply_correction(terms=terms_of(make_price(input_usd="0.0025")), reason="Wrong", actor=None)
    assert correction is not None

    first, second = at_once(*[lambda: reverse_correction(correction=correction, reason="No", actor=None)] * 2)

    assert first == second
    assert [balance_of(buyer).posted for buyer in buyers] == [790, 790]
    assert list(find_ledger_faults()) == []


def test_customers_spend_on_while_they_are_corrected(buyers: list[BillingCustomer]) -> None:
    dear = terms_of(make_price(model="dear", input_usd="0.05"))

    answers_at_once(
        lambda: apply_correction(terms=dear, reason="Wrong", actor=None),
        *[lambda buyer=buyer: [call(buyer, output=0) for _ in range(5)] for buyer in buyers],
    )

    # Calls that came while the correction ran are in it or not; a second one finds the rest.
    apply_correction(terms=dear, reason="The rest", actor=None)
    assert [balance_of(buyer).posted for buyer in buyers] == [1000 - 6 * 70 - 5 * 50] * 2
    assert list(find_ledger_faults()) == []


def test_a_killed_process_leaves_what_the_next_one_finishes(buyers: list[BillingCustomer]) -> None:
    price = make_price(input_usd="0.0025")
    terms = terms_of(price)
    process = multiprocessing.get_context("spawn").Process(
        target=correct_and_die,
        kwargs={
            "database": connection.settings_dict["NAME"],
            "model": MODEL,
            "since": terms.since.isoformat(),
            "until": terms.until.isoformat(),
            "price_id": price.pk,
            "batches": 2,
        },
    )
    process.start()
    process.join(60)

    assert process.exitcode == 9
    broken = UsageCorrection.objects.get()
    assert (broken.completed_at, broken.corrected.count()) == (None, 4)  # the third batch died with its transaction
    assert LedgerEntry.objects.filter(kind=EntryKind.USAGE_CORRECTION).count() == 4
    assert apply_correction(terms=terms, reason="Wrong", actor=None) == broken
    assert [balance_of(buyer).posted for buyer in buyers] == [979, 979]
    assert CorrectedUsage.objects.count() == CALLS
    assert list(find_ledger_faults()) == []
