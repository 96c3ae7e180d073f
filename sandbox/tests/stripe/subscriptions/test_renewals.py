"""What the clock brings: renewals, ends of months, trials that end, and what is told of it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import stripe
import time_machine

from sandbox.stripe.server import SandboxServer
from sandbox.stripe.subscriptions.calendar import period_end
from sandbox.stripe.worker import do_due_work
from sandbox.tests.stripe.shop import Shop
from sandbox.tests.stripe.subscriptions.plans import DAY, Plans, period_of


def day(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}T12:00:00+00:00").timestamp())


@pytest.mark.parametrize(
    ("interval", "count", "ends"),
    [
        ("month", 1, ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]),
        ("month", 3, ["2027-04-30", "2027-07-31"]),
        ("year", 1, ["2028-01-31", "2029-01-31"]),
        ("week", 2, ["2027-02-14", "2027-02-28"]),
    ],
)
def test_periods_are_counted_from_the_anchor(interval: str, count: int, ends: list[str]) -> None:
    anchor = start = day("2027-01-31")

    found = []
    for _ in ends:
        start = period_end(anchor=anchor, start=start, recurring={"interval": interval, "interval_count": count})
        found.append(start)

    assert found == [day(end) for end in ends]


def test_leap_day_is_the_28th_in_other_years() -> None:
    yearly = {"interval": "year", "interval_count": 1}
    anchor = day("2028-02-29")

    assert period_end(anchor=anchor, start=anchor, recurring=yearly) == day("2029-02-28")
    assert period_end(anchor=anchor, start=day("2031-03-01"), recurring=yearly) == day("2032-02-29")


def test_renewal_at_the_boundary(plans: Plans) -> None:
    subscription = plans.subscribe()
    _, end = period_of(subscription)
    before = len(plans.shop.event_types())

    plans.control.advance_clock(days=30)

    renewed = plans.read(subscription.id)
    assert (renewed.status, period_of(renewed)) == ("active", (end, end + 30 * DAY))
    invoice = plans.invoices(subscription.id)[0]
    assert (invoice.billing_reason, invoice.status, invoice.created) == ("subscription_cycle", "paid", end)
    assert (invoice.period_start, invoice.period_end) == period_of(subscription)
    assert (invoice.lines.data[0].period.start, invoice.lines.data[0].period.end) == period_of(renewed)
    assert renewed.latest_invoice == invoice.id
    events = plans.control.list_events()[before:]
    assert [event["type"] for event in events] == [
        "customer.subscription.updated",
        "invoice.created",
        "payment_intent.created",
        "invoice.finalized",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
    ]
    assert {event["created"] for event in events} == {end}
    previous = events[0]["data"]["previous_attributes"]
    assert previous["items"]["data"][0]["current_period_end"] == end
    assert previous["latest_invoice"] == subscription.latest_invoice
    assert set(previous) == {"items", "latest_invoice"}


def test_many_renewals_on_the_way(plans: Plans) -> None:
    subscription = plans.subscribe(price=plans.new_price("Daily", 300, count=1))

    said = plans.control.advance_clock(days=14.5)

    assert said["done"] == 14
    invoices = plans.invoices(subscription.id)
    assert [invoice.created - subscription.created for invoice in invoices] == [n * DAY for n in range(14, -1, -1)]
    assert len({invoice.number for invoice in invoices}) == 15


def test_two_subscriptions_are_renewed_in_order(plans: Plans) -> None:
    weekly = plans.subscribe(price=plans.new_price("Weekly", 700, count=7))
    plans.control.advance_clock(days=3)
    monthly = plans.subscribe()

    plans.control.advance_clock(renewals=5)

    paid = plans.control.list_events("invoice.paid")[2:]
    assert [event["data"]["object"]["parent"]["subscription_details"]["subscription"] for event in paid] == [
        *[weekly.id] * 4,
        monthly.id,
    ]
    assert [event["created"] for event in paid] == sorted(event["created"] for event in paid)


def test_clock_does_not_go_back(plans: Plans) -> None:
    with pytest.raises(ValueError, match="forward"):
        plans.control.advance_clock(to=1_000_000_000)


def test_renewal_in_time_that_the_test_travels(plans: Plans) -> None:
    subscription = plans.subscribe()
    _, end = period_of(subscription)

    with time_machine.travel(datetime.fromtimestamp(end + 60, UTC)):
        assert len(plans.invoices(subscription.id)) == 1
        said = plans.control.advance_clock()

        assert said["done"] == 1
        assert plans.invoices(subscription.id)[0].created == end


def test_clock_survives_a_restart_and_not_a_reset(tmp_path: Path) -> None:
    state = str(tmp_path / "state.sqlite3")
    server = SandboxServer(state=state)
    server.start()
    said = server.control.advance_clock(days=100)
    server.stop()

    again = SandboxServer(state=state)
    again.start()
    ahead = again.control.read_clock()
    again.reset()
    real = again.control.read_clock()
    again.stop()

    assert ahead["now"] - said["now"] <= 5
    assert ahead["ahead_seconds"] == 100 * DAY
    assert real == {"now": real["now"], "ahead_seconds": 0, "next_renewal": None}


def test_sandbox_that_runs_alone_renews_by_itself() -> None:
    server = SandboxServer(settle_after_seconds=0.0)
    server.start()
    plans = Plans(Shop(server))
    subscription = plans.subscribe(price=plans.new_price("Daily", 300, count=1))

    with time_machine.travel(datetime.fromtimestamp(subscription.created + DAY + 5, UTC)):
        do_due_work(server.sandbox)

    assert len(plans.invoices(subscription.id)) == 2
    server.stop()


def test_sessions_expire_and_are_made_while_the_clock_is_ahead(plans: Plans) -> None:
    left = plans.shop.open_session()
    plans.control.advance_clock(days=40)
    made = plans.shop.open_session(expires_at=int(datetime.now(UTC).timestamp()) + 1860)

    assert plans.shop.read_session(left.id).status == "expired"
    assert plans.shop.read_session(made.id).status == "open"
    plans.control.advance_clock(seconds=1900)
    assert plans.shop.read_session(made.id).status == "expired"


def test_pending_items_of_the_customer_come_with_the_renewal(plans: Plans) -> None:
    subscription = plans.subscribe()
    items = plans.client.v1.invoice_items
    items.create({"customer": plans.customer, "amount": 250, "currency": "usd", "description": "Extra"})
    items.create({"customer": plans.customer, "amount": 99, "currency": "eur"})

    plans.control.advance_clock(days=60)

    second, first, _ = plans.invoices(subscription.id)
    assert ([line.amount for line in first.lines.data], first.amount_paid) == ([250, 1900], 2150)
    assert first.lines.data[0].parent
    assert first.lines.data[0].parent.type == "invoice_item_details"
    assert [line.amount for line in second.lines.data] == [1900]


def test_test_clock_moves_the_sandbox(plans: Plans) -> None:
    clocks = plans.client.v1.test_helpers.test_clocks
    clock = clocks.create({"frozen_time": 1_900_000_000, "name": "Year"})
    customer = plans.client.v1.customers.create({"test_clock": clock.id})
    subscription = plans.control.subscribe(customer.id, plans.pro)

    advanced = clocks.advance(clock.id, {"frozen_time": 1_900_000_000 + 31 * DAY})

    assert (advanced.status, advanced.frozen_time) == ("ready", 1_900_000_000 + 31 * DAY)
    assert len(plans.invoices(subscription["id"])) == 2
    assert [one.id for one in clocks.list().data] == [clocks.retrieve(clock.id).id]
    with pytest.raises(stripe.InvalidRequestError, match="frozen_time"):
        clocks.advance(clock.id, {"frozen_time": 1_900_000_000})
    assert clocks.delete(clock.id).deleted is True
    assert plans.read(subscription["id"]).status == "canceled"
    assert plans.client.v1.customers.retrieve(customer.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError, match="No such"):
        plans.client.v1.customers.create({"test_clock": clock.id})


def test_more_than_ten_lines_are_listed_by_pages(plans: Plans) -> None:
    prices = [plans.new_price(f"Part {number}", 100 + number) for number in range(12)]
    plans.control.set_customer_card(plans.customer)
    items = [{"price": price} for price in prices]

    subscription = plans.client.v1.subscriptions.create({"customer": plans.customer, "items": items})  # type: ignore[arg-type]

    assert subscription.status == "active"
    [invoice] = plans.invoices(subscription.id)
    assert (len(invoice.lines.data), invoice.lines.has_more, invoice.total) == (10, True, 1266)
    first = plans.client.v1.invoices.line_items.list(invoice.id or "", {"limit": 10})
    rest = plans.client.v1.invoices.line_items.list(invoice.id or "", {"starting_after": first.data[-1].id})
    assert [line.amount for line in first.data + rest.data] == [100 + number for number in range(12)]
    assert (first.has_more, rest.has_more) == (True, False)
    created = plans.control.list_events("invoice.paid")[0]
    assert len(json.dumps(created)) < 100_000
