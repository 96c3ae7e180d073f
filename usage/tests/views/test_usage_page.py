"""The usage page: its sums are those of the ledger, whatever the credits were spent by."""

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from billing.models import LedgerEntry, PricingConfig
from usage.models import UsageEvent
from usage.selectors.usage_filter import UsageFilter
from usage.selectors.usage_sums import BY_DAY, BY_KEY, BY_MODEL, sum_usage
from usage.services.corrections import apply_correction, read_terms
from usage.tests.factories import MODEL, customer_of, make_key, make_price, make_user
from usage.tests.views.spending import call, direct_debit, failed_call, settled_hold, spend_in_product

pytestmark = pytest.mark.django_db
PAGE = "/billing/usage/"


def page_of(browser: Client, query: str = "") -> str:
    response = browser.get(f"{PAGE}{query}")
    assert response.status_code == 200
    return response.content.decode()


def last_days(user: User, days: int = 30) -> UsageFilter:
    end = datetime.combine(timezone.now().date() + timedelta(days=1), datetime.min.time(), UTC)
    return UsageFilter(customer_id=customer_of(user).pk, since=end - timedelta(days=days), until=end)


@pytest.fixture
def spent(user: User, price: PricingConfig) -> User:
    """Usage of every sort on three days, a correction among it."""
    server, laptop = make_key(user).key, make_key(user).key
    make_price("large-model", output_usd_per_1k=3)
    now = timezone.now()
    with time_machine.travel(now - timedelta(days=2), tick=True):
        call(user, key=server)
        call(user, key=laptop, model="large-model")
        direct_debit(user, "3.000001", key=server)
    with time_machine.travel(now - timedelta(days=1), tick=True):
        settled_hold(user, "7.5", key=laptop)
        failed_call(user, key=server)
        call(user)
    spend_in_product(user, "1.25")
    call(user, key=server, cached=4)
    half = make_price(since=now - timedelta(days=9), output_usd_per_1k=1)
    terms = read_terms(
        model=MODEL,
        since=now - timedelta(days=3),
        until=now - timedelta(hours=36),
        price_id=half.pk,
        now=timezone.now(),
    )
    assert apply_correction(terms=terms, reason="Priced twice too high.", actor=None) is not None
    return user


@pytest.mark.parametrize("by", [BY_DAY, BY_MODEL, BY_KEY])
def test_sums_are_those_of_the_ledger(spent: User, by: str) -> None:
    sums = sum_usage(chosen=last_days(spent), by=by)

    entries = LedgerEntry.objects.filter(kind__in=["usage", "usage_correction"])
    in_ledger = -(entries.aggregate(total=Sum("amount"))["total"] or 0)
    by_day: dict[object, Decimal] = defaultdict(Decimal)
    for entry in entries:
        by_day[entry.occurred_at.date()] -= entry.amount
    assert sums.total.credits == in_ledger
    assert {day.day: day.credits for day in sums.days if day.credits} == {d: c for d, c in by_day.items() if c}
    if by != BY_DAY:
        assert sum(group.credits for group in sums.groups) == in_ledger
    assert (sums.total.calls, sums.total.not_charged) == (4, 1)
    assert (sums.total.direct_count, sums.total.direct) == (3, Decimal("11.750001"))
    assert (sums.total.correction_count, sums.total.corrected) == (1, Decimal(-10))


def test_sums_by_key_name_direct_debits_by_the_key_behind_them(spent: User) -> None:
    server, laptop = [key.key_id for key in spent.api_keys.order_by("pk")]

    groups = {group.name: group for group in sum_usage(chosen=last_days(spent), by=BY_KEY).groups}

    assert groups[server].charged == 30 + 28
    assert groups[server].direct == Decimal("3.000001")
    assert groups[server].corrected == -10
    assert groups[server].not_charged == 1
    assert groups[laptop].direct == Decimal("7.5")
    assert groups[laptop].charged == 40
    assert (groups[""].charged, groups[""].direct) == (30, Decimal("1.25"))


def test_narrowed_sums_are_of_the_model_or_key_alone(spent: User, browser: Client) -> None:
    server = spent.api_keys.order_by("pk")[0].key_id

    assert "large-model" in page_of(browser)
    assert "large-model" not in page_of(browser, f"?model={MODEL}").partition("calls-title")[2]
    assert "<strong>51.000001</strong>" in page_of(browser, f"?key={server}")
    assert "<strong>31.25</strong>" in page_of(browser, "?key=none")


def test_page_shows_every_sort_in_words(spent: User, browser: Client) -> None:
    page = page_of(browser, "?by=model")

    assert "Direct debits" in page
    assert "Corrections:" in page
    assert "Not charged" in page
    assert "The provider timed out." in page
    assert "Reported by the provider" in page
    assert "4 cached" in page
    assert "price of" in page
    assert 'class="bar-out"' in page
    assert "As of" in page


def test_estimate_stands_beside_what_was_charged(browser: Client, user: User, price: PricingConfig) -> None:
    call(user, output=5)

    page = page_of(browser)

    assert "Estimated before the calls: 50 credits; charged for the same calls: 20." in page


def test_empty_page_says_what_will_appear(browser: Client) -> None:
    page = page_of(browser)

    assert "Nothing was used in these days" in page
    assert "<svg class=" not in page
    assert "/accounts/api-keys/" in page


@pytest.mark.parametrize(
    "query", ["?period=x", "?period=1999-01", "?by=weekday", "?key=somebodys", "?outcome=x", "?model=" + "x" * 121]
)
def test_filter_that_cannot_be_read_shows_nothing(browser: Client, query: str) -> None:
    response = browser.get(f"{PAGE}{query}")

    assert response.status_code == 400
    assert "The filter could not be read, so nothing is shown." in response.content.decode()
    assert browser.get(f"{PAGE}export.csv{query}").status_code == 400


def test_month_has_its_days_and_no_others(browser: Client, user: User, price: PricingConfig) -> None:
    last_month = timezone.now().replace(day=1) - timedelta(days=1)
    with time_machine.travel(last_month, tick=True):
        call(user)

    assert "Nothing was used" in page_of(browser, f"?period={timezone.now():%Y-%m}")
    assert "<strong>30</strong>" in page_of(browser, f"?period={last_month:%Y-%m}")


def test_calls_go_on_where_the_page_ended(browser: Client, user: User, price: PricingConfig) -> None:
    for number in range(30):
        call(user, output=1, name=f"job-{number}")
    newest_first = list(UsageEvent.objects.order_by("-occurred_at", "-pk").values_list("public_id", flat=True))

    first = page_of(browser)
    second = page_of(browser, f"?before={newest_first[24]}")

    assert [public_id for public_id in newest_first if f"calls/{public_id}/" in first] == newest_first[:25]
    assert f"before={newest_first[24]}" in first
    assert [public_id for public_id in newest_first if f"calls/{public_id}/" in second] == newest_first[25:]


def test_page_of_nobody_does_not_exist(browser: Client, price: PricingConfig) -> None:
    theirs = call(make_user(credits=1000))

    assert browser.get(f"{PAGE}?before={theirs.public_id}").status_code == 404
    assert browser.get(f"{PAGE}?before=").status_code == 404
    assert browser.get(f"{PAGE}calls/{theirs.public_id}/").status_code == 404


def test_call_tells_all_and_leads_to_its_entry_and_back(browser: Client, user: User, price: PricingConfig) -> None:
    event = call(user, key=make_key(user).key)
    assert event.entry is not None

    page = browser.get(f"{PAGE}calls/{event.public_id}/").content.decode()
    way_back = browser.get(f"{PAGE}entries/{event.entry.sequence}/")

    assert f"{PAGE}entries/{event.entry.sequence}/" in browser.get("/billing/ledger/").content.decode()
    assert "Estimated before" in page
    assert re.findall(r"1,000 [a-z ]+</dt>\s*<dd>\s*([^<\s]+)", page) == ["1,000", "500", "2,000"]
    assert f"/billing/ledger/?before={event.entry.sequence + 1}#entry-{event.entry.sequence}" in page
    assert way_back["Location"] == f"{PAGE}calls/{event.public_id}/"


def test_entry_without_a_call_says_who_took_the_credits(browser: Client, user: User) -> None:
    entry = direct_debit(user, "2.5", key=make_key(user).key, description="<Report>")

    page = browser.get(f"{PAGE}entries/{entry.sequence}/").content.decode()

    assert "A direct debit" in page
    assert "&lt;Report&gt;" in page
    assert "Test (…" in page
    assert browser.get(f"{PAGE}entries/1/").status_code == 404  # credits that came in
    assert browser.get(f"{PAGE}entries/{'9' * 30}/").status_code == 404


def test_key_of_the_service_keeps_its_name(browser: Client, user: User, price: PricingConfig) -> None:
    staff = make_user()
    key = make_key(staff, scopes=["customers", "spend"]).key
    event = call(user, key=key)

    pages = page_of(browser, "?by=key") + browser.get(f"{PAGE}calls/{event.public_id}/").content.decode()

    assert "A key of the service" in pages
    assert "Test (…" not in pages
    assert browser.get(f"{PAGE}?key={key.key_id}").status_code == 400


def test_top_of_the_month_is_a_part_of_the_overview(spent: User, browser: Client) -> None:
    part = browser.get(f"{PAGE}top/").content.decode()

    assert "<html" not in part
    assert "large-model" in part
    assert "Direct debits" in part
    assert "Without a key" in part
    assert f'hx-get="{PAGE}top/"' in browser.get("/billing/").content.decode()


def test_number_of_queries_does_not_grow(browser: Client, user: User, price: PricingConfig) -> None:
    def count(query: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            page_of(browser, query)
        return len(captured)

    queries = ("", "?by=model", "?by=key&period=90")
    call(user, key=make_key(user).key)
    few = [count(query) for query in queries]
    for _ in range(12):
        call(user, key=make_key(user).key, output=1)
        failed_call(user)
    many = [count(query) for query in queries]

    assert many == few
