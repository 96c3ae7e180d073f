"""A hundred people at once, with real connections: a voucher is used as often as it says, and every guess counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connections
from django.db.models import Sum
from pytest_django import Settings

from billing.errors import BillingError, VoucherUnknown
from billing.ledger.verification import verify_ledger
from billing.models import BillingCustomer, CreditBalance, LedgerEntry, VoucherCode, VoucherGuess, VoucherRedemption
from billing.tests.threads import answers_at_once
from billing.tests.vouchers import make_batch, make_verified_customer, redeem

pytestmark = pytest.mark.django_db(transaction=True)
PARALLEL, CONNECTIONS = 100, 50  # PostgreSQL has a hundred connections for all tests that run


def try_of(customer: BillingCustomer, code: str, *, key: str = "") -> Callable[[], str]:
    """One redemption on a connection of its own: `redeemed`, `replayed`, or the refusal's code."""

    def act() -> str:
        try:
            return "replayed" if redeem(customer, code, key=key).is_replay else "redeemed"
        except BillingError as refusal:
            return refusal.code

    return act


def many_at_once(acts: list[Callable[[], str]]) -> Counter[str]:
    """What the acts give, fifty of them at any moment."""

    def run(act: Callable[[], str]) -> str:
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return Counter(pool.map(run, acts))


def posted_in_all() -> Decimal:
    return Decimal(CreditBalance.objects.aggregate(sum=Sum("posted"))["sum"])


def test_voucher_with_one_use_and_a_hundred_customers_is_used_once() -> None:
    [code] = make_batch().codes
    customers = [make_verified_customer() for _ in range(PARALLEL)]

    answers = many_at_once([try_of(customer, code) for customer in customers])

    assert answers == {"redeemed": 1, "voucher_used_up": PARALLEL - 1}
    assert posted_in_all() == 50
    assert VoucherCode.objects.get().uses_left == 0
    assert list(verify_ledger()) == []


def test_voucher_with_one_use_and_a_hundred_tries_of_one_customer_is_used_once() -> None:
    [code] = make_batch().codes
    customer = make_verified_customer()

    answers = many_at_once([try_of(customer, code) for _ in range(PARALLEL)])

    assert answers == {"redeemed": 1, "voucher_already_redeemed": PARALLEL - 1}
    assert LedgerEntry.objects.get().amount == 50


def test_two_customers_share_fifty_uses_to_the_last_one(settings: Settings) -> None:
    settings.VOUCHER_GUESSES_PER_HOUR = 0
    [code] = make_batch(credits=Decimal(1), uses_per_code=50, uses_per_customer=50).codes
    both = [make_verified_customer(), make_verified_customer()]

    answers = many_at_once([try_of(both[number % 2], code) for number in range(PARALLEL)])

    assert answers == {"redeemed": 50, "voucher_used_up": 50}
    assert posted_in_all() == 50
    used = {customer.pk: VoucherRedemption.objects.filter(customer=customer) for customer in both}
    for redemptions in used.values():
        assert sorted(redemptions.values_list("number", flat=True)) == list(range(1, redemptions.count() + 1))
    assert list(verify_ledger()) == []


def test_one_request_sent_fifty_times_is_one_use() -> None:
    [code] = make_batch(credits=Decimal(1), uses_per_code=50, uses_per_customer=50).codes
    customer = make_verified_customer()

    answers = many_at_once([try_of(customer, code, key="one") for _ in range(50)])

    assert answers == {"redeemed": 1, "replayed": 49}
    assert posted_in_all() == 1


def test_no_guess_is_free_however_many_come_at_once() -> None:
    customer = make_verified_customer()

    answers = answers_at_once(*[lambda: redeem(customer, "0000-0000-0000-0000") for _ in range(40)])

    assert sum(isinstance(answer, VoucherUnknown) for answer in answers) == 10
    assert VoucherGuess.objects.count() == 10
