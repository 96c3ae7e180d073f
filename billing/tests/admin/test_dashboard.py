"""The first page: true figures of a period, each leading to the rows behind it, to who may see those."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from billing.admin.dashboard import choose_period
from billing.admin.dashboard_charts import build_chart
from billing.admin.dashboard_figures import Tile
from billing.kinds import EntryKind
from billing.models import (
    Adjustment,
    BillingCustomer,
    CustomerFlag,
    MoneyMovement,
    Payment,
    PaymentDispute,
    PaymentRefund,
    ReconciliationFinding,
    RefundRequest,
    StripeEvent,
)
from billing.selectors.dashboard import Period, first_entry_id
from billing.services.customers import ensure_customer
from billing.tests.admin.conftest import World, post_to
from billing.tests.shop import make_customer
from billing.tests.views.rows import add_entry, make_payment

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 20)
RIGHTS = {
    "view_staffalarm": {"Alarms active"},
    "view_reconciliationfinding": {"Findings open"},
    "view_adjustment": {"Credits waiting for approval"},
    "view_refundrequest": {"Refunds waiting for approval"},
    "view_billingcustomer": {"Customers flagged"},
    "view_payment": {"Sales", "Average revenue per paying customer (ARPU)", "Payments that succeeded"},
    "view_paymentrefund": {"Refunds"},
    "view_subscription": {"Monthly recurring revenue (MRR)", "Churn"},
    "view_paymentdispute": {"Disputes"},
    "view_creditbalance": {"Credits owed to customers", "Average balance", "Customers frozen"},
    "view_creditgrant": {"Deferred money"},
    "view_ledgerentry": {"Credits used", "Promotional cost"},
    "view_usageevent": {"Margin of usage"},
    "view_stripeevent": {
        "Webhooks worked off",
        "Oldest unprocessed event",
        "Events pending",
        "Events parked",
        "Events dead",
    },
}


def tiles_of(client: Client, query: str = "") -> dict[str, Tile]:
    return {tile.label: tile for tile in client.get(f"/admin/{query}").context["tiles"]}


def rows_behind(client: Client, tile: Tile) -> list[Any]:
    page = client.get(tile.address)
    assert page.status_code == 200, tile.label
    return list(page.context["cl"].result_list)


def paid(customer: BillingCustomer, amount_minor: int, *, at: datetime, currency: str = "usd") -> Payment:
    facts = {"paid_amount_minor": amount_minor, "paid_currency": currency}
    return make_payment(customer, paid_at=at, currency=currency, amount_minor=amount_minor, **facts)


def give_back(payment: Payment, *amounts: int, at: datetime) -> None:
    for number, amount_minor in enumerate([0, *amounts], start=1):
        MoneyMovement.objects.create(
            payment=payment,
            number=number,
            collected_minor=payment.paid_amount_minor or 0,
            tax_minor=0,
            given_back_minor=amount_minor,
            currency=payment.paid_currency,
            occurred_at=at,
            created_at=at,
        )


def test_sales_are_of_the_period_and_lead_to_their_payments(admin: Client) -> None:
    now = timezone.now()
    ann, ben = make_customer(), make_customer()
    inside = [paid(ann, 1000, at=now), paid(ann, 500, at=now - timedelta(days=6)), paid(ben, 300, at=now)]
    inside.append(paid(ben, 200, at=now, currency="eur"))
    paid(ann, 9000, at=now - timedelta(days=7))
    give_back(inside[0], 400, 250, at=now)

    tiles = tiles_of(admin, "?days=7")

    assert (tiles["Sales"].value, tiles["Sales"].note) == ("$18.00, €2.00", "4 payments of 2 customers")
    assert tiles["Average revenue per paying customer (ARPU)"].value == "$7.75, €1.00"
    assert set(rows_behind(admin, tiles["Sales"])) == set(inside)


def test_payments_succeed_or_fail_and_left_checkouts_are_neither(admin: Client) -> None:
    customer, now = make_customer(), timezone.now()
    for _ in range(3):
        paid(customer, 100, at=now)
    make_payment(customer, failed_attempts={"ch_1": {"code": "card_declined", "message": "No", "at": "2026-11-20"}})
    make_payment(customer, expired_at=now)

    tile = tiles_of(admin)["Payments that succeeded"]

    assert (tile.value, tile.note, tile.needs_care) == ("75 %", "3 paid, 1 failed", False)
    assert len(rows_behind(admin, tile)) == 5


def test_refunds_and_disputes_are_counted_by_currency(admin: Client) -> None:
    now = timezone.now()
    payment = paid(make_customer(), 1000, at=now)
    for name, is_dead, days in (("re_1", False, 1), ("re_2", True, 1), ("re_3", False, 40)):
        PaymentRefund.objects.create(
            refund_id=name,
            payment=payment,
            amount_minor=300,
            currency="usd",
            is_dead=is_dead,
            dead_at=now if is_dead else None,
            refunded_at=now - timedelta(days=days),
        )
    PaymentDispute.objects.create(
        dispute_id="dp_1",
        payment=payment,
        amount_minor=1000,
        currency="usd",
        status="needs_response",
        status_read_at=now,
        opened_at=now,
    )

    tiles = tiles_of(admin)

    assert (tiles["Refunds"].value, tiles["Refunds"].note) == ("1", "$3.00")
    assert (tiles["Disputes"].value, tiles["Disputes"].note, tiles["Disputes"].needs_care) == ("1", "over $10.00", True)
    assert [row.refund_id for row in rows_behind(admin, tiles["Refunds"])] == ["re_1"]
    assert [row.dispute_id for row in rows_behind(admin, tiles["Disputes"])] == ["dp_1"]


def test_liability_is_what_customers_have_in_credits_and_money(admin: Client, world: World) -> None:
    make_customer()
    tiles = tiles_of(admin)

    assert tiles["Credits owed to customers"].value == "10,465"
    assert tiles["Credits owed to customers"].note == "$10.46 at list price"
    assert tiles["Average balance"].value == "3,488.33"
    assert tiles["Deferred money"].value == "$9.96"  # 40 of 10,000 are used
    assert {row.customer_id for row in rows_behind(admin, tiles["Credits owed to customers"])} == {
        world.customer.pk,
        world.other.pk,
    }
    assert [row.payment_id for row in rows_behind(admin, tiles["Deferred money"])] == [world.payment.pk]


def test_deferred_money_is_without_what_was_used_and_without_tax(admin: Client) -> None:
    customer = make_customer()
    payment = paid(customer, 1190, at=timezone.now())
    Payment.objects.filter(pk=payment.pk).update(paid_tax_minor=190)
    post_to(customer, 1000, kind=EntryKind.PURCHASE, key=f"payment:{payment.pk}:1", payment=payment)
    post_to(customer, -250, kind=EntryKind.USAGE, key="api:job")

    assert tiles_of(admin)["Deferred money"].value == "$7.50"


def test_usage_and_what_was_given_away(admin: Client, world: World) -> None:
    add_entry(world.customer, "1", kind=EntryKind.USAGE_CORRECTION, corrects_id=world.usage.pk)
    tiles = tiles_of(admin)

    assert (tiles["Credits used"].value, tiles["Credits used"].note) == ("44", "$0.04 at list price")
    assert tiles["Promotional cost"].value == "$0.00"
    assert tiles["Promotional cost"].note == "5 free credits used, 510 given"
    assert {row.kind for row in rows_behind(admin, tiles["Credits used"])} == {"usage", "usage_correction"}
    assert {row.kind for row in rows_behind(admin, tiles["Promotional cost"])} == {"promotion", "signup_bonus"}


@pytest.mark.usefixtures("world")
def test_events_are_told_by_outcome_and_age(admin: Client) -> None:
    StripeEvent.objects.filter(event_id="evt_bob").update(state="done")
    came_at = timezone.now() - timedelta(minutes=5)
    pending = StripeEvent.objects.create(
        event_id="evt_new",
        type="charge.refunded",
        livemode=False,
        body="{}",
        occurred_at=timezone.now(),
        next_try_at=came_at,
    )
    StripeEvent.objects.filter(pk=pending.pk).update(received_at=came_at)

    tiles = tiles_of(admin)

    assert (tiles["Webhooks worked off"].value, tiles["Webhooks worked off"].needs_care) == ("50 %", True)
    assert (tiles["Oldest unprocessed event"].value, tiles["Oldest unprocessed event"].needs_care) == (
        "5\xa0minutes",
        True,
    )
    assert rows_behind(admin, tiles["Oldest unprocessed event"]) == [pending]
    assert len(rows_behind(admin, tiles["Events dead"])) == 1


def test_what_is_to_do_leads_to_it(admin: Client, world: World, staff: User) -> None:
    now = timezone.now()
    finding = ReconciliationFinding.objects.create(
        fingerprint="one",
        kind="amount_differs",
        severity="critical",
        detail="Differs",
        occurred_at=now,
        first_seen_at=now,
        last_seen_at=now,
    )
    CustomerFlag.objects.create(customer=world.other, cause="books", reason="Look", freezes=False, raised_at=now)
    BillingCustomer.objects.filter(pk=world.other.pk).update(flagged_at=now, flag_reason="Look")
    wish = {
        "requested_by": staff,
        "requested_at": now - timedelta(hours=2),
        "reason_code": "other",
        "needs_approval": True,
        "form_key": "form",
    }
    adjustment = Adjustment.objects.create(customer=world.customer, amount=1, **wish)
    refund = RefundRequest.objects.create(
        payment=world.payment, amount_minor=1, currency="usd", stripe_idempotency_key="refund", **wish
    )

    tiles = tiles_of(admin)

    assert (tiles["Findings open"].value, tiles["Findings open"].note) == ("1", "1 critical")
    assert tiles["Credits waiting for approval"].note == "the oldest for 2\xa0hours"
    assert rows_behind(admin, tiles["Findings open"]) == [finding]
    assert rows_behind(admin, tiles["Credits waiting for approval"]) == [adjustment]
    assert rows_behind(admin, tiles["Refunds waiting for approval"]) == [refund]
    assert rows_behind(admin, tiles["Customers flagged"]) == [world.other]


def test_an_empty_house_has_figures_without_alarms(admin: Client) -> None:
    page = admin.get("/admin/")

    assert page.content.decode().count("Nothing in this period.") == 4
    assert not [tile.label for tile in page.context["tiles"] if tile.needs_care]
    for tile in page.context["tiles"]:
        assert rows_behind(admin, tile) == []


@pytest.mark.parametrize("right", RIGHTS)
@pytest.mark.usefixtures("world")
def test_staff_see_the_tiles_of_the_lists_that_they_may_see(right: str) -> None:
    clerk = User.objects.create_user("clerk@example.com", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename=right))
    client = Client()
    client.force_login(clerk)

    tiles = tiles_of(client)

    assert set(tiles) == RIGHTS[right]
    for tile in tiles.values():
        assert client.get(tile.address).status_code == 200


@pytest.mark.usefixtures("world")
def test_the_rights_that_are_told_are_all_there_are(admin: Client) -> None:
    assert set(tiles_of(admin)) == set().union(*RIGHTS.values())


def test_ones_own_credits_lead_to_the_billing_page(admin: Client, staff: User) -> None:
    (none_left,) = admin.get("/admin/").context["own_tiles"]
    add_entry(ensure_customer(user=staff), "12.5")
    (some_left,) = admin.get("/admin/").context["own_tiles"]

    assert (none_left.value, none_left.address, none_left.needs_care) == ("0", "/billing/", True)
    assert "billing page" in none_left.note
    assert (some_left.value, some_left.address, some_left.needs_care) == ("12.5", "/billing/", False)


def test_the_first_page_costs_the_same_queries_for_more_rows(admin: Client, world: World) -> None:
    admin.get("/admin/?days=90")
    with CaptureQueriesContext(connection) as few:
        admin.get("/admin/?days=90")
    for number in range(5):
        customer = make_customer()
        paid(customer, 100, at=timezone.now() - timedelta(days=number))
        add_entry(customer, "1")
        post_to(world.customer, -1, kind=EntryKind.USAGE, key=f"api:used-{number}")
    with CaptureQueriesContext(connection) as many:
        admin.get("/admin/?days=90")

    assert len(few) == len(many) <= 30


@pytest.mark.parametrize(
    ("query", "first", "last", "days"),
    [
        ({}, date(2026, 10, 22), TODAY, 30),
        ({"days": "7"}, date(2026, 11, 14), TODAY, 7),
        ({"days": "90"}, date(2026, 8, 23), TODAY, 90),
        ({"days": "5"}, date(2026, 10, 22), TODAY, 30),
        ({"from": "2026-01-01", "to": "2026-01-31"}, date(2026, 1, 1), date(2026, 1, 31), None),
        ({"from": "2026-11-01"}, date(2026, 11, 1), TODAY, None),
        ({"to": "2026-03-30"}, date(2026, 3, 1), date(2026, 3, 30), None),
    ],
)
def test_the_address_names_the_period(query: dict[str, str], first: date, last: date, days: int | None) -> None:
    choice = choose_period(query, today=TODAY)

    assert (choice.period, choice.days, choice.fault) == (Period(first=first, last=last), days, "")


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"from": "yesterday"}, "A day looks like this"),
        ({"from": "2026-02-30"}, "A day looks like this"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "ends before it begins"),
        ({"from": "2020-01-01"}, "three years at most"),
        ({"from": "9999-01-01", "to": "9999-12-31"}, "three years at most"),
        ({"to": "0001-01-02"}, "A day looks like this"),
    ],
)
def test_a_period_that_makes_no_sense_is_told_and_not_used(admin: Client, query: dict[str, str], fault: str) -> None:
    choice = choose_period(query, today=TODAY)

    assert fault in choice.fault
    assert choice.period == Period(first=date(2026, 10, 22), last=TODAY)
    assert fault in admin.get("/admin/", query).content.decode()


def test_first_entry_of_a_period_is_found_across_gaps() -> None:
    customer = make_customer()
    entries = []
    for day in range(1, 15):
        with time_machine.travel(datetime(2026, 3, day, 12, tzinfo=UTC)):
            entries.append(add_entry(customer, "1"))
        with connection.cursor() as cursor:  # ids of entries that were never committed
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence('billing_ledgerentry', 'id')) FROM generate_series(1, %s)",
                [day % 3],
            )

    for number, entry in enumerate(entries):
        found = first_entry_id(entry.created_at - timedelta(hours=1))
        before = entries[number - 1].pk if number else 0
        assert before < found <= entry.pk
    assert first_entry_id(datetime(2026, 4, 1, tzinfo=UTC)) > entries[-1].pk


def test_no_entry_at_all_has_a_first_id() -> None:
    assert first_entry_id(timezone.now()) == 1


@pytest.fixture
def show() -> Any:
    return lambda amount: f"{amount:f}"


@pytest.mark.parametrize(
    ("days", "bars", "unit"), [(92, 92, "Day"), (93, 14, "Week"), (644, 92, "Week"), (645, 24, "Four weeks")]
)
def test_long_periods_have_wider_bars(days: int, bars: int, unit: str, show: Any) -> None:
    first = date(2024, 1, 1)
    values = {first + timedelta(days=offset): Decimal(1) for offset in range(days)}
    period = Period(first=first, last=first + timedelta(days=days - 1))

    chart = build_chart(id="c", title="C", labels=("up", "down"), period=period, up=values, down={}, show=show)

    assert chart.drawing is not None
    assert len(chart.drawing.bars) == bars
    assert chart.unit.startswith(unit)
    assert sum(Decimal(row.up) for row in chart.rows) == days
    assert all(bar.width > 0 for bar in chart.drawing.bars)


def test_money_that_came_back_to_us_is_drawn_as_come_in(show: Any) -> None:
    period = Period(first=TODAY, last=TODAY)

    chart = build_chart(
        id="c", title="C", labels=("up", "down"), period=period, up={TODAY: 5}, down={TODAY: -3}, show=show
    )

    assert [(row.up, row.down) for row in chart.rows] == [("8", "0")]


@pytest.mark.usefixtures("world")
def test_each_chart_has_its_numbers_as_a_table(admin: Client) -> None:
    page = admin.get("/admin/")
    body = page.content.decode()
    charts = [chart for part in page.context["parts"] for chart in part.charts]

    assert [chart.id for chart in charts] == ["money-usd", "payments", "credits", "events"]
    assert body.count("The same as a table") == body.count('role="img"') == 4
    assert re.search(r'<td class="number">\$20\.00</td>', body)
    assert "<script>" not in body.split('class="dash-period"')[1].split("history")[0]
