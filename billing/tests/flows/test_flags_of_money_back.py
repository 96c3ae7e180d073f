"""Flags and freezes of disputes, warnings and reviews: when they end, and when they come again."""

import itertools

import pytest
from django.db import transaction

from accounts.models import User
from billing.models import CustomerFlag, Payment, ReconciliationFinding
from billing.services.customers import unfreeze_customer
from billing.services.payments import converge_payment
from billing.tests.flows.refunding import Shop
from billing.tests.flows.told_facts import collected, converge, disputed, refunded, warned
from billing.tests.shop import WEBHOOK_SECRET, deliver

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


def test_dispute_that_is_appealed_freezes_again(shop: Shop) -> None:
    shop.buy()
    dispute = shop.control.open_dispute(shop.session)["id"]
    shop.hear()
    shop.control.close_dispute(dispute, "won")
    shop.hear()
    assert not shop.is_frozen

    shop.control.withdraw_funds(dispute)
    shop.hear()

    assert (shop.posted, shop.is_flagged, shop.is_frozen) == (0, True, True)
    shop.control.close_dispute(dispute, "lost")
    shop.hear()
    assert (shop.posted, shop.is_flagged, shop.is_frozen) == (0, False, False)


def test_appeal_of_a_dispute_that_staff_have_looked_into_freezes_nobody(shop: Shop, staff: User) -> None:
    shop.buy()
    dispute = shop.control.open_dispute(shop.session)["id"]
    shop.hear()
    unfreeze_customer(customer_id=shop.customer.pk, reason="Spoke with them", actor=staff)

    shop.control.close_dispute(dispute, "won")
    shop.control.withdraw_funds(dispute)
    shop.hear()

    assert not shop.is_frozen


def test_warning_of_fraud_stands_again_when_the_refund_fails(shop: Shop) -> None:
    shop.buy()
    shop.control.warn_of_fraud(shop.session)
    refund = shop.refund(status="pending")
    assert not shop.is_frozen

    shop.control.end_refund(refund, "failed")
    shop.hear()

    assert (shop.posted, shop.is_flagged, shop.is_frozen) == (1000, True, True)
    assert CustomerFlag.objects.filter(ended_at__isnull=True).count() == 1


def test_warning_that_comes_after_the_refund_freezes_nobody(shop: Shop) -> None:
    shop.buy()
    shop.control.warn_of_fraud(shop.session)
    shop.control.refund_payment(shop.session)
    for signed in shop.control.take_events(secret=WEBHOOK_SECRET)[::-1]:
        assert deliver(signed) == 200
    shop.hear()

    assert (shop.posted, shop.is_frozen) == (0, False)


def test_payment_under_review_whose_money_goes_and_comes_is_reviewed_again(shop: Shop, checkout: Payment) -> None:
    converge(checkout, collected(checkout, 900))
    assert shop.is_flagged
    converge(checkout, disputed(900, [-900]))
    converge(checkout, disputed(900, [-900], status="lost"))
    assert (shop.posted, shop.is_flagged) == (0, False)

    converge(checkout, disputed(900, [-900, 900], status="won"))

    assert (shop.posted, shop.is_flagged) == (0, True)
    assert ReconciliationFinding.objects.filter(kind="payment_mismatched", state="open").count() == 1


@pytest.mark.parametrize("story", ["appeal", "lost appeal", "failed refund", "refund"])
def test_flags_end_alike_whatever_is_told_first(shop: Shop, checkout: Payment, story: str) -> None:
    opened, won = disputed(1000, [-1000]), disputed(1000, [-1000, 1000], status="won")
    appealed = disputed(1000, [-1000, 1000, -1000], status="under_review")
    lost = disputed(1000, [-1000, 1000, -1000], status="lost")
    back, back_failed = refunded("re_1", 1000, status="pending"), refunded("re_1", 1000, status="failed")
    paid = collected(checkout, 1000)
    told, is_frozen, posted = {
        "appeal": ((opened, won, appealed), True, 0),
        "lost appeal": ((opened, won, appealed, lost), False, 0),
        "failed refund": ((warned(), back, back_failed), True, 1000),
        "refund": ((warned(), back), False, 0),
    }[story]
    Payment.objects.filter(pk=checkout.pk).update(payment_intent_id="pi_1", charge_id="ch_1")

    orders = list(itertools.permutations([paid, *told]))
    for order in orders[:: 1 + len(orders) // 25]:
        beginning = transaction.savepoint()
        for facts in order:
            with transaction.atomic():
                converge_payment(facts=[facts])
        place = [[paid, *told].index(facts) for facts in order]
        assert (shop.posted, shop.is_frozen, shop.is_flagged) == (posted, is_frozen, is_frozen), place
        transaction.savepoint_rollback(beginning)
