"""Changes of plan, seats and interval: to the second and to the cent."""

from typing import Any

import pytest

from sandbox.stripe.subscriptions.prorating import prorate
from sandbox.tests.stripe.subscriptions.plans import DAY, Plans, lines_of, period_of, update


@pytest.mark.parametrize(
    ("amount", "seconds_left", "period_seconds", "part"),
    [
        (1900, 20 * DAY, 30 * DAY, 1267),
        (4900, 20 * DAY, 30 * DAY, 3267),
        (1900, 10 * DAY, 30 * DAY, 633),
        (4900, 10 * DAY, 30 * DAY, 1633),
        (1900, 5 * DAY, 30 * DAY, 317),
        (4900, 5 * DAY, 30 * DAY, 817),
        (1900, 30 * DAY, 30 * DAY, 1900),
        (1900, 0, 30 * DAY, 0),
        (1, 1, 2, 1),
        (1, 1, 3, 0),
        (2_592_000, 1, 2_592_000, 1),
    ],
)
def test_part_of_an_amount_is_rounded_half_up(amount: int, seconds_left: int, period_seconds: int, part: int) -> None:
    assert prorate(amount, seconds_left=seconds_left, period_seconds=period_seconds) == part


def test_up_down_and_up_again_within_thirty_days(plans: Plans) -> None:
    subscription = plans.subscribe()
    period = period_of(subscription)

    for days, price in ((10, plans.plus), (10, plans.pro), (5, plans.plus)):
        plans.control.advance_clock(days=days)
        plans.control.change_subscription(subscription.id, price=price)

    third, second, first, _ = plans.invoices(subscription.id)
    assert [lines_of(invoice) for invoice in (first, second, third)] == [[-1267, 3267], [-1633, 633], [-317, 817]]
    assert {invoice.billing_reason for invoice in (first, second, third)} == {"subscription_update"}
    assert (first.amount_paid, second.total, second.amount_due, second.amount_paid) == (2000, -1000, 0, 0)
    assert (second.starting_balance, second.ending_balance) == (0, -1000)
    assert (third.total, third.amount_due, third.amount_paid, third.ending_balance) == (500, 0, 0, -500)
    assert {invoice.status for invoice in (first, second, third)} == {"paid"}
    assert plans.balance() == -500
    changed = plans.read(subscription.id)
    assert period_of(changed) == period
    for invoice in (first, second, third):
        assert all(line.period.end == period[1] for line in invoice.lines.data)
        assert abs(invoice.lines.data[0].period.start - invoice.created) <= 2


def test_downgrade_at_once_pays_the_next_renewals_from_the_balance(plans: Plans) -> None:
    subscription = plans.subscribe(price=plans.plus)
    start, end = period_of(subscription)
    at = start + 1

    plans.client.v1.subscriptions.update(
        subscription.id,
        {
            "items": [{"id": subscription["items"].data[0].id, "price": plans.pro}],
            "proration_behavior": "always_invoice",
            "proration_date": at,
        },
    )
    plans.control.advance_clock(renewals=2)

    third, second, down, first = plans.invoices(subscription.id)
    assert (first.amount_paid, lines_of(down), down.total) == (4900, [-4900, 1900], -3000)
    assert (second.total, second.amount_due, second.amount_paid, second.ending_balance) == (1900, 0, 0, -1100)
    assert (third.total, third.amount_due, third.amount_paid, third.ending_balance) == (1900, 800, 800, 0)
    assert second.created == end
    moved = plans.client.v1.customers.balance_transactions.list(plans.customer).data
    assert [(movement.amount, movement.invoice) for movement in moved] == [
        (1100, third.id),
        (1900, second.id),
        (-3000, down.id),
    ]


def test_lines_of_a_proration(plans: Plans) -> None:
    subscription = plans.subscribe()
    first = subscription.latest_invoice
    plans.control.advance_clock(days=10)

    update(plans, subscription, price=plans.plus, proration_behavior="always_invoice")

    invoice = plans.invoices(subscription.id)[0]
    unused, remaining = invoice.lines.data
    assert (unused.description or "").startswith("Unused time on Pro after ")
    assert (remaining.description or "").startswith("Remaining time on Pro Plus after ")
    for line, price in ((unused, plans.pro), (remaining, plans.plus)):
        assert line.pricing
        assert line.pricing.price_details
        assert line.pricing.price_details.price == price
        assert line.parent
        details = line.parent.subscription_item_details
        assert details
        assert (details.proration, details.subscription_item) == (True, subscription["items"].data[0].id)
        assert details.subscription == subscription.id
    assert unused.parent
    assert unused.parent.subscription_item_details
    credited = unused.parent.subscription_item_details.proration_details
    assert credited
    assert credited.credited_items
    assert credited.credited_items.invoice == first


def test_events_of_an_upgrade(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.advance_clock(days=10)
    before = len(plans.shop.event_types())

    update(plans, subscription, price=plans.plus, proration_behavior="always_invoice")

    events = plans.control.list_events()[before:]
    assert [event["type"] for event in events] == [
        "invoiceitem.created",
        "invoiceitem.created",
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
    updated = events[2]["data"]
    assert updated["previous_attributes"]["items"]["data"][0]["price"]["id"] == plans.pro
    assert updated["object"]["items"]["data"][0]["price"]["id"] == plans.plus
    assert set(updated["previous_attributes"]) == {"items", "latest_invoice"}


def test_prorations_wait_for_the_next_invoice(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.advance_clock(days=10)

    update(plans, subscription, price=plans.plus)

    assert len(plans.invoices(subscription.id)) == 1
    plans.control.advance_clock(days=20)
    invoice = plans.invoices(subscription.id)[0]
    assert (lines_of(invoice), invoice.amount_paid) == ([-1267, 3267, 4900], 6900)
    plans.control.advance_clock(days=30)
    assert lines_of(plans.invoices(subscription.id)[0]) == [4900]


def test_change_without_proration(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.advance_clock(days=10)

    update(plans, subscription, price=plans.plus, proration_behavior="none")
    plans.control.advance_clock(days=20)

    assert [lines_of(invoice) for invoice in plans.invoices(subscription.id)] == [[4900], [1900]]


def test_more_and_fewer_seats(plans: Plans) -> None:
    subscription = plans.subscribe(quantity=3)
    plans.control.advance_clock(days=15)

    plans.control.change_subscription(subscription.id, quantity=5)
    plans.control.change_subscription(subscription.id, quantity=1)

    fewer, more, first = plans.invoices(subscription.id)
    assert (lines_of(first), lines_of(more), lines_of(fewer)) == ([5700], [-2850, 4750], [-4750, 950])
    assert [line.quantity for line in more.lines.data] == [3, 5]
    assert "3 × Pro" in (more.lines.data[0].description or "")


def test_from_month_to_year_a_new_period_starts(plans: Plans) -> None:
    subscription = plans.subscribe()
    yearly = plans.new_price("Pro, yearly", 19000, interval="year", count=1)
    plans.control.advance_clock(days=15)

    changed = update(plans, subscription, price=yearly)

    invoice = plans.invoices(subscription.id)[0]
    assert (lines_of(invoice), invoice.amount_paid) == ([-950, 19000], 18050)
    start, end = period_of(changed)
    assert (start, changed.billing_cycle_anchor) == (invoice.created, invoice.created)
    assert end - start in (365 * DAY, 366 * DAY)
    assert [line.parent.subscription_item_details.proration for line in invoice.lines.data] == [True, False]  # type: ignore[union-attr]


def test_period_starts_anew_on_demand(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.advance_clock(days=15)

    changed = update(plans, subscription, billing_cycle_anchor={"type": "now"})

    assert lines_of(plans.invoices(subscription.id)[0]) == [-950, 1900]
    start, end = period_of(changed)
    assert end - start == 30 * DAY
    assert start - subscription.created == pytest.approx(15 * DAY, abs=5)


def test_upgrade_in_a_trial_costs_nothing(plans: Plans) -> None:
    subscription = plans.subscribe(trial_days=10)
    plans.control.advance_clock(days=5)

    update(plans, subscription, price=plans.plus, proration_behavior="always_invoice")

    assert len(plans.invoices(subscription.id)) == 1
    plans.control.advance_clock(days=5)
    assert lines_of(plans.invoices(subscription.id)[0]) == [4900]


def test_downgrade_at_the_end_of_the_period(plans: Plans) -> None:
    subscription = plans.subscribe(price=plans.plus)
    plans.control.advance_clock(days=10)

    waiting = plans.control.change_subscription(subscription.id, price=plans.pro, at_once=False)

    assert waiting["items"]["data"][0]["price"]["id"] == plans.plus
    schedule = plans.read(subscription.id, "schedule").schedule
    assert schedule["phases"][1]["items"][0]["price"] == plans.pro  # type: ignore[index]
    plans.control.advance_clock(days=20)
    changed = plans.read(subscription.id)
    assert (changed["items"].data[0].price.id, changed.schedule) == (plans.pro, None)
    assert [lines_of(invoice) for invoice in plans.invoices(subscription.id)] == [[1900], [4900]]


def test_downgrade_that_waits_is_taken_back(plans: Plans) -> None:
    subscription = plans.subscribe(price=plans.plus)
    plans.control.change_subscription(subscription.id, price=plans.pro, at_once=False)

    kept = plans.control.keep_plan(subscription.id)

    assert kept["schedule"] is None
    [released] = plans.control.list_events("subscription_schedule.released")
    assert released["data"]["object"]["released_subscription"] == subscription.id
    assert plans.control.list_events("customer.subscription.updated")[-1]["data"]["object"]["schedule"] is None
    plans.control.advance_clock(renewals=1)
    assert plans.read(subscription.id)["items"].data[0].price.id == plans.plus


def test_upgrade_drops_the_downgrade_that_waits_once_it_is_made(plans: Plans) -> None:
    subscription = plans.subscribe(price=plans.plus)
    plans.control.change_subscription(subscription.id, price=plans.pro, at_once=False)
    dearer = plans.new_price("Max", 9900)
    details: Any = {"items": [{"id": subscription["items"].data[0].id, "price": dearer}]}

    plans.client.v1.invoices.create_preview({"subscription": subscription.id, "subscription_details": details})
    looked_at = plans.read(subscription.id, "schedule").schedule
    update(plans, subscription, price=dearer, proration_behavior="always_invoice")

    assert looked_at["status"] == "active"  # type: ignore[index]
    assert plans.read(subscription.id).schedule is None
    assert len(plans.control.list_events("subscription_schedule.released")) == 1


def test_item_is_added_and_removed(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.advance_clock(days=15)
    subscriptions = plans.client.v1.subscriptions

    added = subscriptions.update(subscription.id, {"items": [{"price": plans.plus}]})
    removed = subscriptions.update(subscription.id, {"items": [{"id": added["items"].data[0].id, "deleted": True}]})

    assert [item.price.id for item in added["items"].data] == [plans.pro, plans.plus]
    assert [item.price.id for item in removed["items"].data] == [plans.plus]
    items = plans.client.v1.subscription_items
    assert [item.id for item in items.list({"subscription": subscription.id}).data] == [removed["items"].data[0].id]
    assert items.retrieve(removed["items"].data[0].id).price.id == plans.plus
    plans.control.advance_clock(days=15)
    assert lines_of(plans.invoices(subscription.id)[0]) == [2450, -950, 4900]


def test_discount_for_ever_is_taken_off_prorations_too(plans: Plans) -> None:
    coupon = plans.client.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    subscription = plans.subscribe(coupon=coupon.id)
    plans.control.advance_clock(days=15)

    plans.control.change_subscription(subscription.id, price=plans.plus)

    second, first = plans.invoices(subscription.id)
    assert (lines_of(first), first.total) == ([1900], 950)
    assert (lines_of(second), second.total) == ([-475, 1225], 750)


def test_only_what_was_paid_comes_back(plans: Plans) -> None:
    coupon = plans.client.v1.coupons.create({"percent_off": 100, "duration": "once"})
    subscription = plans.subscribe(coupon=coupon.id)
    plans.control.advance_clock(days=15)

    plans.control.change_subscription(subscription.id, price=plans.plus)

    second, first = plans.invoices(subscription.id)
    assert (first.total, lines_of(second), second.amount_paid) == (0, [2450], 2450)
