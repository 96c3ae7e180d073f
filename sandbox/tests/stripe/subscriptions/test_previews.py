"""Previews of invoices, changes that are refused, and changes of single items."""

from typing import Any

import pytest
import stripe

from sandbox.tests.stripe.subscriptions.plans import Plans, lines_of, update


@pytest.mark.parametrize(("behavior", "lines"), [("always_invoice", [-1267, 3267]), (None, [-1267, 3267, 4900])])
def test_preview_is_what_comes(plans: Plans, behavior: str | None, lines: list[int]) -> None:
    subscription = plans.subscribe()
    plans.control.advance_clock(days=10)
    item: Any = {"id": subscription["items"].data[0].id, "price": plans.plus}
    details: Any = {"items": [item], **({"proration_behavior": behavior} if behavior else {})}
    before = len(plans.shop.event_types())

    preview = plans.client.v1.invoices.create_preview(
        {"subscription": subscription.id, "subscription_details": details}
    )

    assert lines_of(preview) == lines
    assert (preview.total, preview.amount_due, preview.status, preview.number) == (
        sum(lines),
        sum(lines),
        "draft",
        None,
    )
    assert plans.shop.event_types(since=before) == []
    assert plans.read(subscription.id)["items"].data[0].price.id == plans.pro
    update(plans, subscription, price=plans.plus, **({"proration_behavior": behavior} if behavior else {}))
    plans.control.advance_clock(days=0 if behavior else 20)
    assert lines_of(plans.invoices(subscription.id)[0]) == lines


def test_preview_of_the_next_invoice(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.set_customer_balance(plans.customer, -400)

    preview = plans.client.v1.invoices.create_preview({"subscription": subscription.id})

    assert (lines_of(preview), preview.amount_due, preview.ending_balance) == ([1900], 1500, 0)
    assert plans.balance() == -400
    plans.control.cancel_subscription(subscription.id, at_period_end=True)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        plans.client.v1.invoices.create_preview({"subscription": subscription.id})
    assert refused.value.code == "invoice_upcoming_none"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"quantity": 0}, "greater than or equal to 1"),
        ({"price": "price_none"}, "No such price"),
        ({"items": [{"id": "si_none", "quantity": 2}]}, "No such subscription item"),
        ({"trial_end": 1}, "future"),
        ({"cancel_at": 1}, "future"),
        ({"application_fee_percent": 1}, "does not know"),
        ({"payment_behavior": "pending_if_incomplete"}, "allow_incomplete"),
    ],
)
def test_change_that_is_refused(plans: Plans, params: dict[str, Any], message: str) -> None:
    subscription = plans.subscribe()

    with pytest.raises(stripe.InvalidRequestError, match=message):
        update(plans, subscription, **params)
    assert plans.read(subscription.id)["items"].data[0].quantity == 1


def test_intervals_are_not_mixed(plans: Plans) -> None:
    subscription = plans.subscribe()
    yearly = plans.new_price("Pro, yearly", 19000, interval="year", count=1)

    with pytest.raises(stripe.InvalidRequestError, match="same interval"):
        plans.client.v1.subscriptions.update(subscription.id, {"items": [{"price": yearly}]})


def test_items_are_changed_one_by_one(plans: Plans) -> None:
    subscription = plans.subscribe()
    items = plans.client.v1.subscription_items
    first = subscription["items"].data[0].id

    added = items.create({"subscription": subscription.id, "price": plans.plus, "proration_behavior": "none"})
    more = items.update(first, {"quantity": 4, "proration_behavior": "none"})
    gone = items.delete(added.id, {"proration_behavior": "none"})

    assert (added.price.id, more.quantity, gone.deleted) == (plans.plus, 4, True)
    assert [(item.id, item.quantity) for item in plans.read(subscription.id)["items"].data] == [(first, 4)]
    with pytest.raises(stripe.InvalidRequestError, match="at least one item"):
        items.delete(first)
    with pytest.raises(stripe.InvalidRequestError, match="No such"):
        items.retrieve(added.id)


def test_upgrade_that_is_not_paid_changes_nothing_when_asked_so(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.set_customer_card(plans.customer, "4000000000000341")
    plans.control.advance_clock(days=10)
    params: Any = {"price": plans.plus, "proration_behavior": "always_invoice"}

    with pytest.raises(stripe.CardError, match="declined"):
        update(plans, subscription, **params, payment_behavior="error_if_incomplete")
    assert (plans.read(subscription.id).status, len(plans.invoices(subscription.id))) == ("active", 1)

    changed = update(plans, subscription, **params)
    assert (changed.status, changed["items"].data[0].price.id) == ("past_due", plans.plus)


def test_start_that_is_not_paid_leaves_nothing_when_asked_so(plans: Plans) -> None:
    plans.control.set_customer_card(plans.customer, "4000000000000341")

    with pytest.raises(stripe.CardError, match="declined"):
        plans.client.v1.subscriptions.create(
            {
                "customer": plans.customer,
                "items": [{"price": plans.pro}],
                "payment_behavior": "error_if_incomplete",
            }
        )
    assert plans.client.v1.subscriptions.list({"status": "all"}).data == []


def test_card_of_somebody_else_is_refused(plans: Plans) -> None:
    subscription = plans.subscribe()
    other = plans.client.v1.customers.create({"name": "Eve"}).id
    card = plans.control.save_card(other)["id"]
    own = plans.control.save_card(plans.customer)["id"]

    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        update(plans, subscription, default_payment_method=card)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        plans.client.v1.subscriptions.create(
            {"customer": plans.customer, "items": [{"price": plans.pro}], "default_payment_method": card}
        )
    assert update(plans, subscription, default_payment_method=own).default_payment_method == own


def test_balance_is_set_by_a_change_of_the_customer(plans: Plans) -> None:
    changed = plans.client.v1.customers.update(plans.customer, {"balance": -700})

    assert changed.balance == -700
    moved = plans.client.v1.customers.balance_transactions.list(plans.customer).data
    assert [(movement.amount, movement.type) for movement in moved] == [(-700, "adjustment")]
