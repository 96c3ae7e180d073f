"""Promotion codes of Stripe's at the checkout: whether they are asked for, and what a purchase must still cost."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pytest_django import Settings

from accounts.models import User
from billing.models import Payment, ReconciliationFinding
from billing.services.payments import accept_mismatch
from billing.tests.flows.refunding import Shop
from billing.tests.shop import make_pack, open_checkout

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


def buy(shop: Shop, *, code: str) -> Payment:
    """A pack of 1,000 credits for $10.00, paid with a code."""
    pack = make_pack(credits=Decimal(1000), bonus_credits=Decimal(0))
    started = open_checkout(customer=shop.customer, pack=pack, gateway=shop.gateway)
    shop.session = started.session_id
    shop.control.pay_session(started.session_id, code=code)
    shop.hear()
    return Payment.objects.get(pk=started.payment.pk)


def asks_for_codes(shop: Shop, **pack: int) -> bool:
    started = open_checkout(customer=shop.customer, pack=make_pack(**pack), gateway=shop.gateway)
    session = shop.control.get_object(started.session_id)
    assert session is not None
    return bool(session["allow_promotion_codes"])


def test_half_price_above_the_minimum_grants_everything(shop: Shop, settings: Settings) -> None:
    settings.PROMOTION_MIN_PAID_MINOR = 500

    payment = buy(shop, code="HALF50")

    assert (payment.state, payment.paid_amount_minor, payment.paid_discount_minor) == ("paid", 500, 500)
    assert shop.posted == 1000


@pytest.mark.parametrize(("code", "minimum"), [("HALF50", 501), ("FREE100", 1)])
def test_price_below_the_minimum_waits_for_staff(shop: Shop, settings: Settings, code: str, minimum: int) -> None:
    settings.PROMOTION_MIN_PAID_MINOR = minimum

    payment = buy(shop, code=code)

    finding = ReconciliationFinding.objects.get(kind="payment_mismatched")
    assert (payment.state, shop.posted) == ("review", 0)
    assert "after a promotion code" in finding.detail
    assert (finding.severity, finding.payment) == ("critical", payment)

    staff = User.objects.create_superuser("staff@example.com", "correct horse battery")
    accept_mismatch(payment_id=payment.pk, actor=staff, reason="Promised by sales")
    assert shop.posted == 1000


def test_minimum_that_is_raised_later_leaves_open_checkouts_alone(shop: Shop, settings: Settings) -> None:
    pack = make_pack(credits=Decimal(1000), bonus_credits=Decimal(0))
    started = open_checkout(customer=shop.customer, pack=pack, gateway=shop.gateway)
    settings.PROMOTION_MIN_PAID_MINOR = 999

    shop.control.pay_session(started.session_id, code="HALF50")
    shop.hear()

    assert shop.posted == 1000


def test_without_a_minimum_a_code_may_make_it_free(shop: Shop) -> None:
    assert buy(shop, code="FREE100").state == "paid"
    assert shop.posted == 1000


def test_codes_are_asked_for_where_they_can_work(shop: Shop, settings: Settings) -> None:
    assert asks_for_codes(shop, price_minor=1000)

    settings.PROMOTION_MIN_PAID_MINOR = 1000
    assert not asks_for_codes(shop, price_minor=1000)
    assert asks_for_codes(shop, price_minor=1001)

    settings.CHECKOUT_PROMOTION_CODES = False
    assert not asks_for_codes(shop, price_minor=1001)


def test_switch_that_is_turned_leaves_the_checkout_of_a_form_as_it_was(shop: Shop, settings: Settings) -> None:
    pack = make_pack()
    first = open_checkout(customer=shop.customer, pack=pack, gateway=shop.gateway, form_key="one")
    settings.CHECKOUT_PROMOTION_CODES = False

    again = open_checkout(customer=shop.customer, pack=pack, gateway=shop.gateway, form_key="one")

    assert again.session_id == first.session_id
