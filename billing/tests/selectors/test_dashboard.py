"""The dashboard's sums over histories that the use cases wrote."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from billing.selectors.dashboard import Period, deferred_money, disputes_opened, read_given_back, refunds_made
from billing.tests.books.shop import Shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def today() -> Period:
    day = timezone.now().date()
    return Period(first=day - timedelta(days=1), last=day)


@pytest.mark.parametrize("refunds", [(), (100,), (32, 9, 8), (1071,)], ids=str)
@pytest.mark.parametrize("used", ["0", "250", "333.333333"])
def test_deferred_money_is_that_of_the_books(used: str, refunds: tuple[int, ...]) -> None:
    shop = Shop()
    shop.give(10)
    payment = shop.buy(1000, 1190, tax=190)
    shop.buy(500, 400, currency="eur")
    if used != "0":
        shop.use(used)
    for cents in refunds:
        shop.refund(payment, cents)

    deferred = deferred_money()

    for currency in ("usd", "eur"):
        booked = -shop.balances(currency).get("deferred_revenue", 0)
        assert abs(deferred.get(currency, 0) - booked) <= 1  # the books round each payment, a sum is rounded once


def test_what_went_back_is_the_change_and_can_come_again(today: Period) -> None:
    shop = Shop()
    payment, other = shop.buy(1000, 1000), shop.buy(1000, 2000, currency="eur")
    shop.refund(payment, 300)
    failing = shop.refund(payment, 100)
    shop.dispute(other, 2000, times=1)

    assert sum(amount for (_, code), amount in read_given_back(today).items() if code == "usd") == 400
    shop.refund(payment, 100, refund_id=failing, is_dead=True)

    by_currency = {code: amount for (_, code), amount in read_given_back(today).items()}
    assert by_currency == {"usd": 300, "eur": 2000}
    assert refunds_made(today) == (1, {"usd": 300})
    assert disputes_opened(today) == (1, {"eur": 2000})


def test_nothing_of_another_period_is_told() -> None:
    shop = Shop()
    shop.refund(shop.buy(1000, 1000), 300)
    past = Period(first=date(2020, 1, 1), last=date(2020, 12, 31))

    assert (read_given_back(past), refunds_made(past), disputes_opened(past)) == ({}, (0, {}), (0, {}))
