"""The books in examples that were worked out by hand. Amounts are cents; credits of an account are negative."""

from decimal import Decimal
from itertools import pairwise

import pytest

from billing.kinds import EntryKind
from billing.ledger.books_debts import Remembered
from billing.ledger.books_lots import Money, PaidLot
from billing.tests.books.world import World

# What is bought and spent


def test_a_purchase_is_owed_until_it_is_used() -> None:
    world = World()

    world.buy(1000, 1000)
    assert world.last() == {"cash_at_stripe": 1000, "deferred_revenue": -1000}

    world.use(250)
    assert world.last() == {"deferred_revenue": 250, "revenue": -250}

    world.use("0.4")  # 0.4 cents are nothing yet
    assert world.last() == {}

    world.use("0.2")  # 250.6 cents
    assert world.last() == {"deferred_revenue": 1, "revenue": -1}
    world.check()


def test_a_thousand_small_uses_earn_exactly_the_price() -> None:
    world = World()
    world.buy(1000, 61)

    for _ in range(1000):
        world.use(1)

    assert world.balances() == {"cash_at_stripe": 61, "revenue": -61}
    world.check()


def test_halves_are_rounded_to_even() -> None:
    world = World()
    world.buy(4, 2)
    earned = []

    for _ in range(4):  # 0.5, 1.0, 1.5, 2.0
        world.use(1)
        earned.append(world.balances().get("revenue", 0))

    assert earned == [0, -1, -2, -2]


def test_tax_is_owed_to_the_state_and_never_earned() -> None:
    world = World()

    paid = world.buy(1000, 1190, tax=190)
    assert world.last() == {"cash_at_stripe": 1190, "tax_payable": -190, "deferred_revenue": -1000}

    world.use(400)
    assert world.last() == {"deferred_revenue": 400, "revenue": -400}

    world.pay_back(paid, 595)  # half of it all: tax 95, kept 500
    assert world.last() == {"cash_at_stripe": -595, "tax_payable": 95, "deferred_revenue": 500}

    world.pay_back(paid, 595)
    assert world.balances() == {"revenue": -400, "refunds_of_consumed_credits": 400}
    world.check()


def test_tax_goes_back_in_proportion_on_the_whole_sum() -> None:
    money = [Money(300, 50, back) for back in (0, 1, 2, 3, 9, 150, 297, 300)]

    # 50/300 of it: 0, 0.17, 0.33, 0.5 (to even: 0), 1.5 (to even: 2), 25, 49.5 (to even: 50), 50
    assert [one.tax_kept_minor for one in money] == [50, 50, 50, 50, 48, 25, 0, 0]
    assert [one.net_minor for one in money] == [250, 249, 248, 247, 243, 125, 3, 0]


def test_a_discount_spreads_what_was_paid_over_all_credits() -> None:
    world = World()

    world.buy(10_500, 750)  # $10.00 less 25 %, 500 credits are a bonus
    world.use(5_250)

    assert world.balances() == {"cash_at_stripe": 750, "deferred_revenue": -375, "revenue": -375}
    world.check()


def test_a_code_for_everything_moves_no_money_and_is_a_promotion() -> None:
    world = World()

    world.buy(1000, 0)
    world.use(300)

    assert world.lines == []
    assert sum(booking.promotional_credits for booking in world.bookings) == 300
    world.check()


def test_free_credits_are_counted_as_used_and_move_no_money() -> None:
    world = World()
    world.give(100, days=10)
    world.buy(1000, 1000)

    used = world.use(150)
    world.correct(used, 70)  # the newest first: 50 bought, 20 free
    assert sum(booking.promotional_credits for booking in world.bookings) == 80

    world.pass_days(60)
    assert world.balances() == {"cash_at_stripe": 1000, "deferred_revenue": -1000}
    assert sum(booking.promotional_credits for booking in world.bookings) == 80
    world.check()


def test_a_staff_debit_is_used_and_a_correction_takes_revenue_back() -> None:
    world = World()
    world.buy(1000, 1000)
    world.staff_debit(100)
    used = world.use(50)
    assert world.balances()["revenue"] == -150

    world.correct(used, 20)

    assert world.last() == {"deferred_revenue": -20, "revenue": 20}
    world.check()


def test_expired_credits_are_breakage() -> None:
    world = World()
    world.buy(1000, 1000, days=30)
    world.use(200)

    world.pass_days(31)

    assert world.last() == {"deferred_revenue": 800, "breakage": -800}
    world.check()


def test_money_without_credits_is_owed() -> None:
    world = World()

    paid = world.pay(1000, 900)
    assert world.last() == {"cash_at_stripe": 900, "deferred_revenue": -900}

    world.grant(paid)
    assert world.last() == {}

    world.use(1000)
    assert world.balances() == {"cash_at_stripe": 900, "revenue": -900}
    world.check()


def test_money_without_credits_can_go_back() -> None:
    world = World()
    paid = world.pay(1000, 900)
    paid.back = 900

    world._book_money(paid)

    assert world.last() == {"cash_at_stripe": -900, "deferred_revenue": 900}
    assert world.balances() == {}


def test_currencies_are_kept_apart_even_in_one_entry() -> None:
    world = World()
    world.buy(100, 100)
    world.buy(100, 80, currency="eur")

    world.use(150)

    by_currency = {(line.currency, line.account.value): line.amount_minor for line in world.bookings[-1].lines}
    assert by_currency == {
        ("usd", "deferred_revenue"): 100,
        ("usd", "revenue"): -100,
        ("eur", "deferred_revenue"): 40,
        ("eur", "revenue"): -40,
    }
    world.check()


# What goes back


def test_an_unused_refund_is_no_loss_of_revenue() -> None:
    world = World()
    paid = world.buy(1000, 1000)
    world.use(300)

    world.pay_back(paid, 600)

    assert world.last() == {"cash_at_stripe": -600, "deferred_revenue": 600}
    world.check()


def world_with_a_debt() -> World:
    """1,000 credits for $10.00, 900 used, all refunded: 900 credits of debt."""
    world = World()
    paid = world.buy(1000, 1000)
    world.use(900)
    world.pay_back(paid, 1000)
    return world


def test_a_refund_of_used_credits_is_contra_revenue() -> None:
    world = world_with_a_debt()

    assert world.last() == {"cash_at_stripe": -1000, "deferred_revenue": 100, "refunds_of_consumed_credits": 900}
    assert world.balances() == {"revenue": -900, "refunds_of_consumed_credits": 900}
    assert world.account.posted == -900
    world.check()


def test_the_next_purchase_that_covers_the_debt_earns_at_its_own_price() -> None:
    world = world_with_a_debt()

    world.buy(1000, 800)

    assert world.last() == {"cash_at_stripe": 800, "deferred_revenue": -80, "revenue": -720}
    assert world.balances() == {
        "cash_at_stripe": 800,
        "deferred_revenue": -80,
        "revenue": -1620,
        "refunds_of_consumed_credits": 900,
    }
    world.check()


def test_a_debt_that_is_written_off_is_bad_debt() -> None:
    world = world_with_a_debt()

    world.write_off(900)

    assert world.last() == {"refunds_of_consumed_credits": -900, "bad_debt": 900}
    assert world.balances() == {"revenue": -900, "bad_debt": 900}
    assert world.account.posted == 0
    world.check()


def test_what_a_debt_remembers_is_shared_by_its_parts() -> None:
    """61 cents of 1,000 credits: a third covered by a purchase, a third written off, a third returned."""
    world = World()
    paid = world.buy(1000, 61)
    world.use(1000)
    world.pay_back(paid, 61)

    world.write_off("333.333333")  # of 61 cents 40.67 are left, 41
    assert world.last() == {"refunds_of_consumed_credits": -20, "bad_debt": 20}

    world.give("333.333333")
    assert world.last() == {}

    world.write_off("333.333334")  # a third was covered: 20.33 cents are left of the 41, 20
    assert world.last() == {"refunds_of_consumed_credits": -20, "bad_debt": 20}
    assert world.balances() == {"revenue": -61, "refunds_of_consumed_credits": 21, "bad_debt": 40}
    world.check()


def test_what_other_grants_gave_is_no_bad_debt() -> None:
    """100 of the payment's own, 400 free ones, 500 uncovered: of 900 cents 500 belong to what nobody paid."""
    world = World()
    paid = world.buy(1000, 1000)
    world.use(900)
    world.give(400)

    world.pay_back(paid, 1000)
    assert world.account.posted == -500
    assert world.bookings[-1].promotional_credits == 400

    world.write_off(500)
    assert world.last() == {"refunds_of_consumed_credits": -500, "bad_debt": 500}
    world.check()


def test_each_claw_back_remembers_what_it_reversed() -> None:
    world = World()
    paid = world.buy(1000, 1000)
    world.use(1000)

    world.pay_back(paid, 400)
    world.pay_back(paid, 600, kind=EntryKind.DISPUTE)

    assert [one.uncovered.minor for one in world.books.claw_backs.values()] == [400, 600]
    world.write_off(1000)
    assert world.balances() == {"revenue": -1000, "bad_debt": 1000}
    world.check()


def test_what_is_put_in_again_starts_a_new_share() -> None:
    part = Remembered()
    part.put(credits=Decimal(10), minor=100)
    assert part.take(Decimal(9)) == 90
    part.put(credits=Decimal(9), minor=0)

    assert part.take(Decimal(5)) == 5
    assert part.take(Decimal(5)) == 5


def test_a_used_debt_remembers_nothing() -> None:
    world = World()
    world.use(500)

    world.write_off(200)
    assert world.last() == {}

    world.buy(1000, 1000)  # covers 300
    assert world.last() == {"cash_at_stripe": 1000, "deferred_revenue": -700, "revenue": -300}
    world.check()


def test_a_claw_back_that_draws_on_another_payment_uses_it() -> None:
    """Its price counts there: 900 credits of the second payment cost $4.50."""
    world = World()
    first = world.buy(1000, 1000)
    world.use(900)
    second = world.buy(1000, 500)

    world.pay_back(first, 1000)

    assert world.balances_of(first) == {"revenue": -900, "refunds_of_consumed_credits": 900}
    assert world.balances_of(second) == {"cash_at_stripe": 500, "deferred_revenue": -50, "revenue": -450}
    world.check()


def test_a_refund_that_fails_undoes_it_all() -> None:
    world = World()
    first = world.buy(1000, 1000)
    world.use(900)
    second = world.buy(1000, 500)
    before = world.balances_of(first), world.balances_of(second)

    world.pay_back(first, 1000)
    world.pay_back(first, -1000)

    assert (world.balances_of(first), world.balances_of(second)) == before
    world.check()


def test_a_dispute_can_go_come_back_and_go_again() -> None:
    world = World()
    paid = world.buy(1000, 1000)
    world.use(700)
    before = world.balances()

    for _ in range(3):
        world.pay_back(paid, 1000, kind=EntryKind.DISPUTE)
        assert world.balances() == {"revenue": -700, "refunds_of_consumed_credits": 700}
        world.pay_back(paid, -1000, kind=EntryKind.DISPUTE)
        assert world.balances() == before
    world.pay_back(paid, 1000, kind=EntryKind.DISPUTE)
    world.write_off(700)

    assert world.balances() == {"revenue": -700, "bad_debt": 700}
    world.check()


def test_a_refund_after_the_expiry_takes_breakage_back() -> None:
    """200 used, 800 expired: the first half of the money was for expired credits."""
    world = World()
    paid = world.buy(1000, 1000, days=30)
    world.use(200)
    world.pass_days(31)

    world.pay_back(paid, 500)  # 300 of the expired ones are still paid for; no entry
    assert world.last() == {"cash_at_stripe": -500, "breakage": 500}
    assert world.account.posted == 0

    world.pay_back(paid, 500)
    assert world.last() == {"cash_at_stripe": -500, "refunds_of_consumed_credits": 200, "breakage": 300}
    assert world.account.posted == -200
    world.check()


def test_partial_refunds_of_a_price_that_does_not_divide_add_up() -> None:
    world = World()
    paid = world.buy(1000, 61)
    world.use(700)  # 42.7 cents
    posted = []

    for cents in (32, 9, 8, 3, 6, 3):
        world.pay_back(paid, cents)
        posted.append(world.account.posted + 700)
        world.check()

    assert posted == [Decimal(n) for n in ("475.409836", "327.868852", "196.721311", "147.540983", "49.180327", "0")]
    assert world.balances() == {"revenue": -43, "refunds_of_consumed_credits": 43}


def test_a_refund_before_the_purchase_is_known_earns_nothing() -> None:
    world = World()
    world.use(300)
    paid = world.pay(1000, 1000)
    paid.back = 1000
    world._book_money(paid)

    world.grant(paid)  # covers the 300
    assert world.last() == {}
    world._post(EntryKind.REFUND, Decimal(-1000), payment_id=paid.id)
    assert world.last() == {}
    assert world.account.posted == -300

    world.write_off(300)
    assert world.balances() == {}
    world.check()


# What is no use and no money


def test_credits_that_are_too_cheap_to_keep_leave_the_money_owed() -> None:
    """A millionth of a credit for 3 cents: after a refund of 2 it rounds down to none, and a cent stays."""
    lot = PaidLot(1, "usd", Money(3, 0, 2), granted=Decimal("0.000001"))

    assert lot.kept == 0
    assert lot.figures().deferred_minor == 1


def test_a_correction_of_the_currency_moves_all_of_the_money() -> None:
    world = World()
    paid = world.buy(100, 500)
    world.use(50)
    paid.currency, paid.collected = "eur", 400

    world._book_money(paid)

    assert world.balances("usd") == {}
    assert world.balances("eur") == {"cash_at_stripe": 400, "deferred_revenue": -200, "revenue": -200}


def test_tax_that_is_learned_later_is_taken_out_of_revenue() -> None:
    world = World()
    paid = world.buy(1000, 1190)
    world.use(500)
    paid.tax = 190

    world._book_money(paid)

    assert world.last() == {"tax_payable": -190, "deferred_revenue": 95, "revenue": 95}
    world.check()


def test_large_amounts_are_exact() -> None:
    """10 million million credits for ten million million: no digit is lost."""
    lot = PaidLot(1, "usd", Money(10**13 + 1), granted=Decimal(10**13), used=Decimal(10**13) - Decimal("0.000001"))

    figures = lot.figures()

    assert figures.earned_minor + figures.deferred_minor == 10**13 + 1
    assert figures.deferred_minor == 0
    assert PaidLot(1, "usd", Money(10**13 + 1), granted=Decimal(10**13), used=Decimal(5)).figures().earned_minor == 5


def test_rows_that_contradict_each_other_are_refused() -> None:
    world = world_with_a_debt()
    claw_back = next(iter(world.books.claw_backs.values()))

    with pytest.raises(RuntimeError, match="cannot be taken out"):
        claw_back.write_off(Decimal(901))


def test_the_journal_counts_steps_in_their_order() -> None:
    world = world_with_a_debt()
    steps = [booking.step.sequence for booking in world.bookings]

    assert all(later > earlier for earlier, later in pairwise(steps))


def test_a_written_off_debt_comes_back_from_bad_debt_when_its_refund_fails() -> None:
    world = World()
    paid = world.buy(1000, 1000)
    world.use(900)
    world.pay_back(paid, 1000)
    world.write_off(900)

    world.pay_back(paid, -1000)

    reopening = next(booking for booking in world.bookings if booking.step.amount == -900 and booking.step.payment_id)
    assert {(line.account.value, line.amount_minor) for line in reopening.lines if line.reason == "written_off"} == {
        ("refunds_of_consumed_credits", 900),
        ("bad_debt", -900),
    }
    assert world.balances() == {"cash_at_stripe": 1000, "deferred_revenue": -100, "revenue": -900}
    assert world.account.posted == 100
    world.check()


def test_a_part_of_a_written_off_debt_comes_back() -> None:
    """60 % of the money comes back: 540 of the 900 written-off credits are undone, the rest stays bad debt."""
    world = World()
    paid = world.buy(1000, 1000)
    world.use(1000)
    world.pay_back(paid, 1000)
    world.write_off(900)  # 100 stay owed

    world.pay_back(paid, -600)  # 100 were owed, 500 are taken back from what was written off

    assert world.balances() == {"cash_at_stripe": 600, "revenue": -1000, "bad_debt": 400}
    assert world.account.posted == 0
    world.check()
