"""Money that goes back in odd mixes: written-off debts, lapsing credits, other rates, payments under review."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from billing.kinds import EntryKind
from billing.models import BillingCustomer, CreditGrant, CustomerFlag, LedgerEntry, MoneyMovement, Payment, StripeEvent
from billing.services.expiry import expire_lapsed_credits
from billing.services.holds import settle_hold
from billing.services.parked_events import wake_events_known_by_now
from billing.services.payments import accept_mismatch
from billing.services.posting import Posting, post
from billing.tests.flows.refunding import Shop
from billing.tests.flows.told_facts import collected, converge, disputed, refunded
from billing.tests.ledger.steps import assert_books_are_right, give, hold_for, kinds_of, use
from billing.tests.shop import make_pack, open_checkout

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


def write_off(shop: Shop, credits: int, *, key: str = "staff:x") -> None:
    post(
        posting=Posting(
            customer_id=shop.customer.pk,
            kind=EntryKind.WRITE_OFF,
            amount=Decimal(credits),
            key=key,
            description="Given up",
        )
    )


# Debts that were written off


def test_written_off_debt_shrinks_before_credits_come_back(shop: Shop) -> None:
    shop.buy()
    use(shop.customer, 900)
    first, second = shop.refund(400, status="pending"), shop.refund(600, status="pending")
    write_off(shop, 900)

    shop.control.end_refund(first, "failed")
    shop.hear()
    assert shop.posted == 0  # five hundred are owed for nobody's money, and forgiven

    shop.control.end_refund(second, "failed")
    shop.hear()
    assert shop.posted == 100


def test_part_of_a_debt_that_was_written_off_stands_again_last(shop: Shop) -> None:
    shop.buy()
    use(shop.customer, 900)
    first, second = shop.refund(400, status="pending"), shop.refund(600, status="pending")
    write_off(shop, 500)
    assert shop.posted == -400

    shop.control.end_refund(first, "failed")
    shop.hear()
    assert (shop.posted, kinds_of(shop.customer).count("write_off")) == (0, 1)

    shop.control.end_refund(second, "failed")
    shop.hear()
    assert shop.posted == 100


def test_debt_paid_in_part_and_written_off_in_part_is_forgiven_no_more_than_it_is(shop: Shop) -> None:
    shop.buy()
    use(shop.customer, 900)
    first, second = shop.refund(400, status="pending"), shop.refund(600, status="pending")
    give(shop.customer, 500)
    write_off(shop, 400)

    shop.control.end_refund(first, "failed")
    shop.hear()
    assert shop.posted == 0

    shop.control.end_refund(second, "failed")
    shop.hear()
    assert shop.posted == 600


def test_second_write_off_after_a_reversal_stands_again_too(shop: Shop) -> None:
    shop.buy()
    use(shop.customer, 900)
    refund = shop.refund(status="pending")
    write_off(shop, 900)
    shop.control.end_refund(refund, "failed")
    dispute = shop.control.open_dispute(shop.session)["id"]
    shop.hear()
    assert shop.posted == -900
    write_off(shop, 900, key="staff:y")

    shop.control.close_dispute(dispute, "won")
    shop.hear()

    assert shop.posted == 100


def test_debt_that_stands_again_does_not_lengthen_the_life_of_other_credits(shop: Shop) -> None:
    shop.buy()
    use(shop.customer, 900)
    refund = shop.refund(status="pending")
    write_off(shop, 900)
    tomorrow = timezone.now() + timedelta(days=41)
    gift = give(shop.customer, 1000, expires_at=tomorrow)

    with time_machine.travel(timezone.now() + timedelta(days=40)):
        shop.control.end_refund(refund, "failed")
        shop.hear()

        assert shop.posted == 1100
        assert CreditGrant.objects.get(entry=gift).expires_at == tomorrow


# Mixes


def test_two_refunds_and_a_partial_dispute_take_what_is_left(shop: Shop) -> None:
    shop.buy()
    first = shop.refund(300)
    shop.refund(200)
    dispute = shop.control.open_dispute(shop.session, amount=500)["id"]
    shop.hear()
    assert shop.posted == 0

    shop.control.end_refund(first, "failed")
    shop.hear()
    assert shop.posted == 300
    shop.control.close_dispute(dispute, "lost")
    shop.hear()
    assert shop.posted == 300


def test_refund_that_fails_after_the_dispute_was_lost_gives_back_its_own_part(shop: Shop) -> None:
    shop.buy()
    use(shop.customer, 1000)
    refund = shop.refund(400, status="pending")
    dispute = shop.control.open_dispute(shop.session, amount=600)["id"]
    shop.control.close_dispute(dispute, "lost")
    shop.hear()
    assert shop.posted == -1000

    shop.control.end_refund(refund, "failed")
    shop.hear()

    assert shop.posted == -600


def test_bank_debit_that_is_refunded_and_the_refund_fails(shop: Shop) -> None:
    pack = make_pack(credits=Decimal(1000), bonus_credits=Decimal(0))
    started = open_checkout(customer=shop.customer, pack=pack, gateway=shop.gateway)
    shop.session, shop.payment = started.session_id, started.payment
    shop.control.pay_session(started.session_id, method="bank_debit")
    shop.hear()
    assert shop.posted == 0
    shop.control.settle_delayed(started.session_id)
    refund = shop.refund(700)
    assert shop.posted == 300

    shop.control.end_refund(refund, "failed")
    shop.hear()

    assert shop.posted == 1000


def test_purchase_at_half_price_goes_back_in_proportion_to_what_was_paid(shop: Shop) -> None:
    pack = make_pack(credits=Decimal(1000), bonus_credits=Decimal(0))
    started = open_checkout(customer=shop.customer, pack=pack, gateway=shop.gateway)
    shop.session = started.session_id
    shop.control.pay_session(started.session_id, code="HALF50")
    shop.hear()

    shop.refund(250)
    assert shop.posted == 500
    shop.refund(250)
    assert shop.posted == 0


def test_purchase_that_a_code_made_free_has_no_money_that_moves(shop: Shop) -> None:
    pack = make_pack(credits=Decimal(1000), bonus_credits=Decimal(0))
    started = open_checkout(customer=shop.customer, pack=pack, gateway=shop.gateway)
    shop.control.pay_session(started.session_id, code="FREE100")
    shop.hear()

    assert shop.posted == 1000
    assert not MoneyMovement.objects.exists()


def test_customer_whose_user_is_gone_is_still_followed(shop: Shop) -> None:
    shop.buy()
    BillingCustomer.objects.filter(pk=shop.customer.pk).update(user=None)

    shop.refund(300)
    shop.control.open_dispute(shop.session, amount=200)
    shop.hear()

    assert (shop.posted, shop.is_frozen) == (500, True)


# Credits that lapse


def test_credits_that_a_hold_kept_beyond_their_lapse_are_taken_and_come_back(shop: Shop) -> None:
    shop.buy(lifetime_days=10)
    lapses_at = CreditGrant.objects.get().expires_at
    assert lapses_at is not None
    with time_machine.travel(lapses_at - timedelta(minutes=5)):
        hold = hold_for(shop.customer, 500)
    with time_machine.travel(lapses_at + timedelta(minutes=1)):
        expire_lapsed_credits(now=timezone.now())
        assert shop.posted == 500
        refund = shop.refund(status="pending")
        assert shop.posted == 0  # what had expired counts as taken
        settle_hold(hold=hold.public_id, amount=Decimal(400))
        assert shop.posted == -400
    with time_machine.travel(lapses_at + timedelta(days=3)):
        shop.control.end_refund(refund, "failed")
        shop.hear()
        assert shop.posted == 100
    with time_machine.travel(lapses_at + timedelta(days=9)):
        expire_lapsed_credits(now=timezone.now())
        assert shop.posted == 0
        assert_books_are_right(shop.customer)


def test_strict_setting_gives_back_the_time_that_the_dispute_took(shop: Shop, settings: Settings) -> None:
    settings.DISPUTE_TAKES_BACK_ON = "created"
    shop.buy(lifetime_days=10)
    lapses_at = CreditGrant.objects.get().expires_at
    assert lapses_at is not None
    dispute = shop.control.open_dispute(shop.session, withdraws=False)["id"]
    shop.hear()
    assert shop.posted == 0

    with time_machine.travel(lapses_at + timedelta(days=5)):
        shop.control.close_dispute(dispute, "won", reinstates=False)
        shop.hear()

        assert shop.posted == 1000
        reversal = LedgerEntry.objects.get(kind="dispute_reversal")
        assert reversal.occurred_at > lapses_at
        assert CreditGrant.objects.get().remaining == 1000


# Facts that the sandbox does not tell


def test_accepted_mismatch_is_refunded_in_proportion_to_what_was_paid(
    shop: Shop, checkout: Payment, staff: User
) -> None:
    converge(checkout, collected(checkout, 900))
    converge(checkout, refunded("re_1", 300))
    assert (shop.posted, shop.is_flagged) == (0, True)

    accept_mismatch(payment_id=checkout.pk, actor=staff, reason="We had changed the price")
    assert shop.posted == Decimal("666.666666")
    flag = CustomerFlag.objects.get()
    assert (flag.ended_by, flag.ended_reason) == (staff, "We had changed the price")
    converge(checkout, refunded("re_2", 600))
    assert shop.posted == 0
    converge(checkout, refunded("re_1", 300, status="failed"), refunded("re_2", 600, status="failed"))
    assert (shop.posted, shop.is_flagged) == (1000, False)


def test_refund_that_was_told_dead_first_stays_dead(shop: Shop, checkout: Payment) -> None:
    converge(checkout, collected(checkout, 1000))
    converge(checkout, refunded("re_1", 400, status="failed"))
    converge(checkout, refunded("re_1", 400))

    assert shop.posted == 1000
    assert MoneyMovement.objects.count() == 1


@pytest.mark.parametrize(
    ("movements", "left"),
    [
        ([-1000], 0),
        ([-652, 652], 1000),
        ([-652, 660], 1000),
        ([-652, 652, -660], 0),
        ([-300, -700], 0),
    ],
)
def test_dispute_takes_no_more_than_it_is_about(shop: Shop, checkout: Payment, movements: list[int], left: int) -> None:
    converge(checkout, collected(checkout, 1000))

    converge(checkout, disputed(1000, movements))

    assert shop.posted == left
    assert Payment.objects.get(pk=checkout.pk).withdrawn_minor == 1000 - left


def test_currency_without_minor_units(shop: Shop, checkout: Payment, staff: User) -> None:
    Payment.objects.filter(pk=checkout.pk).update(currency="jpy", amount_minor=7)
    converge(checkout, collected(checkout, 7, currency="jpy"))

    for number in range(1, 8):
        converge(checkout, refunded(f"re_{number}", 1, currency="jpy"))

    assert shop.posted == 0
    for number in range(7, 0, -1):
        converge(checkout, refunded(f"re_{number}", 1, status="failed", currency="jpy"))
    assert shop.posted == 1000


def test_event_whose_object_is_missing_at_stripe_is_looked_at_once_an_hour(shop: Shop) -> None:
    shop.buy()
    parked = StripeEvent.objects.first()
    assert parked is not None
    now = timezone.now()
    StripeEvent.objects.filter(pk=parked.pk).update(
        state="parked", parked_at=now - timedelta(minutes=10), next_try_at=now, related_ids=[shop.payment.public_id]
    )

    assert wake_events_known_by_now() == 0

    StripeEvent.objects.filter(pk=parked.pk).update(next_try_at=now - timedelta(hours=2))
    assert wake_events_known_by_now() == 1
