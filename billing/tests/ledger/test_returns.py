"""Credits that come back: where they go, and how long they last then."""

from datetime import timedelta

import pytest

from billing.kinds import AllocationKind, EntryKind
from billing.models import BillingCustomer, CreditGrant, GrantAllocation
from billing.services.posting import post_many
from billing.tests.ledger.conftest import Clock
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import (
    assert_books_are_right,
    balance_of,
    buy,
    claw_back,
    give,
    grant_of,
    grant_of_payment,
    kinds_of,
    post_one,
    posting_of,
    reinstate,
    uncovered_of,
    use,
)

pytestmark = pytest.mark.django_db

RETURN = AllocationKind.RETURN


def test_a_refund_that_fails_gives_the_credits_back_to_their_grant(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    claw_back(payment, 10)

    reinstate(payment, 10)

    assert grant_of_payment(payment).remaining == 10
    assert grant_of_payment(payment).is_open
    assert CreditGrant.objects.filter(customer=customer).count() == 1
    assert_books_are_right(customer)


def test_money_of_a_dispute_that_was_won_comes_back_the_same_way(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    claw_back(payment, 10, kind=EntryKind.DISPUTE)

    reinstate(payment, 4, kind=EntryKind.DISPUTE_REVERSAL)

    assert grant_of_payment(payment).remaining == 4
    assert_books_are_right(customer)


def test_what_was_uncovered_vanishes_before_anything_returns_to_a_grant(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    use(customer, 4)
    refund = claw_back(payment, 10)
    assert uncovered_of(refund) == 4

    reinstate(payment, 5)

    assert uncovered_of(refund) == 0
    assert grant_of_payment(payment).remaining == 1
    assert balance_of(customer).posted == 1
    assert_books_are_right(customer)


def test_the_newest_claw_back_is_undone_first(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    older, newer = claw_back(payment, 4), claw_back(payment, 6)

    reinstate(payment, 7)

    undone = GrantAllocation.objects.filter(kind=RETURN).values_list("entry_id", "amount")
    assert sorted(undone) == sorted([(newer.pk, -6), (older.pk, -1)])


def test_the_newest_share_of_an_entry_returns_first(customer: BillingCustomer) -> None:
    free, payment = give(customer, 5), buy(customer, 5)
    used = use(customer, 8)

    post_one(customer, EntryKind.USAGE_CORRECTION, 4, corrects_id=used.pk, description="Not delivered")

    assert (grant_of(free).remaining, grant_of_payment(payment).remaining) == (1, 5)
    assert_books_are_right(customer)


@pytest.mark.parametrize(("amount", "fits"), [(10, True), ("10.000001", False)])
def test_no_more_comes_back_than_was_taken(customer: BillingCustomer, amount: str | int, fits: bool) -> None:
    payment = buy(customer, 10)
    claw_back(payment, 10)

    if fits:
        reinstate(payment, amount)
        assert balance_of(customer).posted == 10
        return
    with pytest.raises(RuntimeError, match=r"10\.000000 were taken"):
        reinstate(payment, amount)


def test_nothing_comes_back_twice(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    claw_back(payment, 10)
    reinstate(payment, 10)

    with pytest.raises(RuntimeError, match="cannot come back"):
        reinstate(payment, 1)


def test_one_payments_money_does_not_undo_anothers_claw_back(customer: BillingCustomer) -> None:
    payment, other = buy(customer, 10), buy(customer, 10)
    claw_back(payment, 10)

    with pytest.raises(RuntimeError, match="0 were taken"):
        reinstate(other, 1)


def test_usage_of_another_customer_cannot_be_corrected(customer: BillingCustomer) -> None:
    other = make_customer()
    give(other, 10)
    used = use(other, 10)

    with pytest.raises(RuntimeError, match="0 were taken"):
        post_one(customer, EntryKind.USAGE_CORRECTION, 1, corrects_id=used.pk)


def test_money_can_go_and_come_back_and_go_again(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)

    for _ in range(3):
        claw_back(payment, 10)
        reinstate(payment, 10)

    assert grant_of_payment(payment).remaining == 10
    assert_books_are_right(customer)


def test_taking_and_giving_back_in_one_batch_ends_where_it_began(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    payment.posting_count = 3
    payment.save()

    post_many(
        postings=[
            posting_of(customer, EntryKind.REFUND, -10, payment_id=payment.pk, key=f"payment:{payment.pk}:2"),
            posting_of(customer, EntryKind.REFUND_REVERSAL, 10, payment_id=payment.pk, key=f"payment:{payment.pk}:3"),
        ]
    )

    assert grant_of_payment(payment).remaining == 10
    assert_books_are_right(customer)


# A claw-back that others paid moves to its own grant


def test_a_claw_back_that_another_grant_covered_moves_to_its_own(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    used = use(customer, 10)
    claw_back(payment, 10)
    gift = give(customer, 10)
    assert grant_of(gift).remaining == 0

    post_one(customer, EntryKind.USAGE_CORRECTION, 6, corrects_id=used.pk, description="Not delivered")

    assert (grant_of_payment(payment).remaining, grant_of(gift).remaining) == (0, 6)
    moves = GrantAllocation.objects.filter(kind=AllocationKind.MOVE).values_list("amount", flat=True)
    assert sorted(moves) == [-6, 6]
    assert_books_are_right(customer)


def test_what_a_move_frees_covers_debt_at_once(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    used = use(customer, 10)
    claw_back(payment, 10)
    give(customer, 10)
    debt = post_one(customer, EntryKind.ADJUSTMENT, -4, description="Mistake", may_leave_debt=True)

    post_one(customer, EntryKind.USAGE_CORRECTION, 6, corrects_id=used.pk, description="Not delivered")

    assert uncovered_of(debt) == 0
    assert balance_of(customer).posted == 2
    assert_books_are_right(customer)


# How long returned credits last


@pytest.mark.parametrize(("expires_after_hours", "is_moved"), [(5, True), (6, False), (7, False)])
def test_a_grant_lasts_at_least_until_the_time_away_is_made_up(
    customer: BillingCustomer, clock: Clock, expires_after_hours: int, is_moved: bool
) -> None:
    expires_at, until = clock.after(hours=expires_after_hours), clock.after(hours=6)
    payment = buy(customer, 10, expires_at=expires_at)
    claw_back(payment, 10)

    reinstate(payment, 10, return_until=until)

    assert grant_of_payment(payment).expires_at == (until if is_moved else expires_at)
    assert balance_of(customer).next_expiry_at == grant_of_payment(payment).expires_at


def test_a_grant_that_lapsed_while_the_money_was_away_lives_again(customer: BillingCustomer, clock: Clock) -> None:
    payment = buy(customer, 10, expires_at=clock.after(hours=1))
    claw_back(payment, 10)
    clock.move(days=3)

    reinstate(payment, 10, return_until=clock.after(days=3))

    use(customer, 10)
    assert_books_are_right(customer)


def test_without_time_made_up_credits_that_return_to_a_lapsed_grant_expire(
    customer: BillingCustomer, clock: Clock
) -> None:
    payment = buy(customer, 10, expires_at=clock.after(hours=1))
    claw_back(payment, 10)
    clock.move(hours=1)

    reinstate(payment, 10)

    assert kinds_of(customer) == ["purchase", "refund", "refund_reversal", "expiry"]
    assert_books_are_right(customer)


def test_a_grant_that_never_expires_stays_so(customer: BillingCustomer, clock: Clock) -> None:
    payment = buy(customer, 10)
    claw_back(payment, 10)

    reinstate(payment, 10, return_until=clock.after(days=1))

    assert grant_of_payment(payment).expires_at is None


def test_a_correction_gives_credits_thirty_more_days_by_itself(customer: BillingCustomer, clock: Clock) -> None:
    given = give(customer, 10, expires_at=clock.after(hours=1))
    used = use(customer, 10)
    clock.move(days=1)
    happened = clock.after(hours=-2)

    post_one(customer, EntryKind.USAGE_CORRECTION, 10, corrects_id=used.pk, occurred_at=happened)

    assert grant_of(given).expires_at == happened + timedelta(days=30)
    assert balance_of(customer).posted == 10


def test_expired_credits_can_be_given_back_by_a_correction(customer: BillingCustomer, clock: Clock) -> None:
    given = give(customer, 10, expires_at=clock.after(hours=1))
    clock.move(hours=1)
    post_one(customer, EntryKind.PROMOTION, 1)
    expired = customer.entries.get(kind=EntryKind.EXPIRY)

    post_one(customer, EntryKind.CORRECTION, 10, corrects_id=expired.pk, description="Our mistake")

    assert grant_of(given).remaining == 10
    assert_books_are_right(customer)


def test_what_a_correction_charged_on_top_comes_back_before_the_usage_itself(customer: BillingCustomer) -> None:
    buy(customer, 10)
    used = use(customer, 6)
    on_top = post_one(
        customer, EntryKind.USAGE_CORRECTION, -7, corrects_id=used.pk, description="More", may_leave_debt=True
    )
    assert uncovered_of(on_top) == 3

    post_one(
        customer,
        EntryKind.USAGE_CORRECTION,
        9,
        corrects_id=used.pk,
        on_top_ids=(on_top.pk,),
        description="Less after all",
    )

    undone = GrantAllocation.objects.filter(kind=RETURN).values_list("entry_id", "amount")
    assert sorted(undone) == sorted([(on_top.pk, -3), (on_top.pk, -4), (used.pk, -2)])
    assert balance_of(customer).posted == 6
    assert_books_are_right(customer)


def test_no_more_comes_back_than_usage_and_corrections_took(customer: BillingCustomer) -> None:
    buy(customer, 10)
    used = use(customer, 4)
    on_top = post_one(customer, EntryKind.USAGE_CORRECTION, -3, corrects_id=used.pk, description="More")

    with pytest.raises(RuntimeError, match="7"):
        post_one(customer, EntryKind.USAGE_CORRECTION, 8, corrects_id=used.pk, on_top_ids=(on_top.pk,))
