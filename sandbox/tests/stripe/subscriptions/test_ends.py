"""How subscriptions end, are paused and go on; and how trials end."""

from typing import Any

import pytest
import stripe

from sandbox.stripe.errors import ApiError
from sandbox.tests.stripe.subscriptions.plans import DAY, Plans, lines_of, period_of


def test_cancellation_at_the_end_of_the_period(plans: Plans) -> None:
    subscription = plans.subscribe()
    _, end = period_of(subscription)

    waiting = plans.client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})

    assert (waiting.status, waiting.cancel_at_period_end, waiting.cancel_at) == ("active", True, end)
    assert waiting.canceled_at
    plans.control.advance_clock(days=31)
    ended = plans.read(subscription.id)
    assert (ended.status, ended.ended_at, len(plans.invoices(subscription.id))) == ("canceled", end, 1)
    [deleted] = plans.control.list_events("customer.subscription.deleted")
    assert deleted["data"]["object"]["status"] == "canceled"
    with pytest.raises(stripe.InvalidRequestError, match="has ended"):
        plans.client.v1.subscriptions.update(subscription.id, {"metadata": {"a": "b"}})


def test_cancellation_that_is_taken_back(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.cancel_subscription(subscription.id, at_period_end=True)

    resumed = plans.control.resume_subscription(subscription.id)
    plans.control.advance_clock(days=30)

    assert (resumed["cancel_at_period_end"], resumed["cancel_at"], resumed["canceled_at"]) == (False, None, None)
    updated = plans.control.list_events("customer.subscription.updated")[-2]["data"]
    assert updated["previous_attributes"]["cancel_at_period_end"] is True
    assert plans.read(subscription.id).status == "active"
    assert len(plans.invoices(subscription.id)) == 2


def test_cancellation_at_a_time(plans: Plans) -> None:
    subscription = plans.subscribe()
    at = subscription.created + 12 * DAY

    plans.client.v1.subscriptions.update(subscription.id, {"cancel_at": at})
    plans.control.advance_clock(days=20)

    ended = plans.read(subscription.id)
    assert (ended.status, ended.ended_at) == ("canceled", at)


@pytest.mark.parametrize(("prorate", "balance"), [(False, 0), (True, -950)])
def test_cancellation_at_once(plans: Plans, prorate: bool, balance: int) -> None:
    subscription = plans.subscribe()
    plans.control.advance_clock(days=15)
    params: Any = {"prorate": prorate, "invoice_now": prorate, "cancellation_details": {"feedback": "unused"}}

    ended = plans.client.v1.subscriptions.cancel(subscription.id, params)

    assert ended.status == "canceled"
    assert ended.cancellation_details
    assert (ended.cancellation_details.feedback, ended.cancellation_details.reason) == (
        "unused",
        "cancellation_requested",
    )
    assert plans.balance() == balance
    assert plans.control.advance_clock(days=60)["done"] == 0
    with pytest.raises(stripe.InvalidRequestError, match="has ended"):
        plans.client.v1.subscriptions.cancel(subscription.id)


def test_what_is_pending_is_billed_at_the_end(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.advance_clock(days=10)
    plans.control.change_subscription(subscription.id, price=plans.plus, proration="create_prorations")
    plans.control.cancel_subscription(subscription.id, at_period_end=True)

    plans.control.advance_clock(days=20)

    last = plans.invoices(subscription.id)[0]
    assert (lines_of(last), last.amount_paid) == ([-1267, 3267], 2000)
    assert plans.read(subscription.id).status == "canceled"


@pytest.mark.parametrize(
    ("behavior", "status"), [("void", "void"), ("mark_uncollectible", "uncollectible"), ("keep_as_draft", "draft")]
)
def test_paused_collection_takes_no_money(plans: Plans, behavior: Any, status: str) -> None:
    subscription = plans.subscribe()
    resumes_at = subscription.created + 45 * DAY
    pause: Any = {"behavior": behavior, "resumes_at": resumes_at}
    plans.client.v1.subscriptions.update(subscription.id, {"pause_collection": pause})

    plans.control.advance_clock(days=30)

    assert plans.read(subscription.id).status == "active"
    assert plans.invoices(subscription.id)[0].status == status
    plans.control.advance_clock(days=30)
    assert plans.read(subscription.id).pause_collection is None
    assert [invoice.status for invoice in plans.invoices(subscription.id)] == ["paid", status, "paid"]
    assert plans.balance() == 0
    last = plans.control.list_events("customer.subscription.updated")[-2]
    assert (last["created"], set(last["data"]["previous_attributes"])) == (resumes_at, {"pause_collection"})


def test_pause_is_ended_by_a_lever(plans: Plans) -> None:
    subscription = plans.subscribe()

    paused = plans.control.pause_collection(subscription.id, "keep_as_draft")
    resumed = plans.control.resume_subscription(subscription.id)

    assert paused["pause_collection"] == {"behavior": "keep_as_draft", "resumes_at": None}
    assert resumed["pause_collection"] is None


def test_trial_that_ends_is_paid(plans: Plans) -> None:
    subscription = plans.subscribe(trial_days=10)
    assert subscription.trial_end

    plans.control.advance_clock(days=10)

    [warned] = plans.control.list_events("customer.subscription.trial_will_end")
    assert warned["created"] == subscription.trial_end - 3 * DAY
    active = plans.read(subscription.id)
    assert (active.status, active.billing_cycle_anchor) == ("active", subscription.trial_end)
    assert period_of(active) == (subscription.trial_end, subscription.trial_end + 30 * DAY)
    paid, trial = plans.invoices(subscription.id)
    assert (trial.total, paid.amount_paid, paid.billing_reason) == (0, 1900, "subscription_cycle")
    updated = plans.control.list_events("customer.subscription.updated")[0]["data"]
    assert updated["previous_attributes"]["status"] == "trialing"


def test_short_trial_is_warned_of_at_once(plans: Plans) -> None:
    subscription = plans.subscribe(trial_days=2)

    [warned] = plans.control.list_events("customer.subscription.trial_will_end")
    assert warned["created"] - subscription.created <= 2
    plans.control.advance_clock(days=2)
    assert len(plans.control.list_events("customer.subscription.trial_will_end")) == 1


def test_trial_is_ended_and_prolonged_by_requests(plans: Plans) -> None:
    subscription = plans.subscribe(trial_days=10)
    assert subscription.trial_end
    later = subscription.trial_end + 10 * DAY

    longer = plans.client.v1.subscriptions.update(subscription.id, {"trial_end": later})
    plans.control.advance_clock(days=15)
    ended = plans.client.v1.subscriptions.update(subscription.id, {"trial_end": "now"})

    assert (longer.trial_end, period_of(longer)[1]) == (later, later)
    assert ended.status == "active"
    invoice = plans.invoices(subscription.id)[0]
    assert (invoice.billing_reason, invoice.amount_paid) == ("subscription_update", 1900)


def test_trial_is_given_to_one_that_pays(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.advance_clock(days=15)
    ends_at = subscription.created + 20 * DAY

    trial = plans.client.v1.subscriptions.update(subscription.id, {"trial_end": ends_at})
    plans.control.advance_clock(days=5)

    assert (trial.status, trial.trial_end) == ("trialing", ends_at)
    assert lines_of(plans.invoices(subscription.id)[0]) == [-950, 1900]


@pytest.mark.parametrize(
    ("behavior", "status", "event"),
    [
        ("cancel", "canceled", "customer.subscription.deleted"),
        ("pause", "paused", "customer.subscription.paused"),
        ("create_invoice", "past_due", "invoice.payment_failed"),
    ],
)
def test_trial_without_a_card_ends(plans: Plans, behavior: Any, status: str, event: str) -> None:
    settings: Any = {"end_behavior": {"missing_payment_method": behavior}}
    subscription = plans.client.v1.subscriptions.create(
        {
            "customer": plans.customer,
            "items": [{"price": plans.pro}],
            "trial_period_days": 5,
            "trial_settings": settings,
        }
    )

    plans.control.advance_clock(days=5)

    assert plans.read(subscription.id).status == status
    assert len(plans.control.list_events(event)) == 1


def test_paused_subscription_goes_on(plans: Plans) -> None:
    settings: Any = {"end_behavior": {"missing_payment_method": "pause"}}
    subscription = plans.client.v1.subscriptions.create(
        {
            "customer": plans.customer,
            "items": [{"price": plans.pro}],
            "trial_period_days": 5,
            "trial_settings": settings,
        }
    )
    with pytest.raises(stripe.InvalidRequestError, match="paused"):
        plans.client.v1.subscriptions.resume(subscription.id)
    plans.control.advance_clock(days=50)
    plans.control.set_customer_card(plans.customer)

    resumed = plans.client.v1.subscriptions.resume(subscription.id)

    assert resumed.status == "active"
    start, end = period_of(resumed)
    assert end - start == 30 * DAY
    assert start - subscription.created == pytest.approx(50 * DAY, abs=5)
    assert plans.invoices(subscription.id)[0].amount_paid == 1900
    assert len(plans.control.list_events("customer.subscription.resumed")) == 1


def test_subscriptions_are_listed_by_what_they_are(plans: Plans) -> None:
    gone, pro, plus = plans.subscribe(), plans.subscribe(metadata={"a": "b"}), plans.subscribe(price=plans.plus)
    plans.control.cancel_subscription(gone.id)
    subscriptions = plans.client.v1.subscriptions

    def ids(**params: Any) -> list[str]:
        return [found.id for found in subscriptions.list(params).data]  # type: ignore[arg-type]

    assert ids() == [plus.id, pro.id]
    assert ids(status="all") == [plus.id, pro.id, gone.id]
    assert ids(status="canceled") == ids(status="ended") == [gone.id]
    assert ids(price=plans.plus) == [plus.id]
    assert ids(customer=plans.customer, limit=1) == [plus.id]
    assert ids(created={"gt": plus.created + 60}) == []
    assert pro.metadata.to_dict() == {"a": "b"}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"items": []}, "at least one item"),
        ({"items": [{"price": "price_none"}]}, "No such price"),
        ({"customer": "cus_none"}, "No such customer"),
        ({"trial_period_days": 3, "trial_end": 2_000_000_000}, "only specify one"),
        ({"trial_end": 5}, "future"),
        ({"backdate_start_date": 5}, "does not know"),
        ({"discounts": [{"coupon": "none"}]}, "No such coupon"),
    ],
)
def test_start_that_is_refused(plans: Plans, params: dict[str, Any], message: str) -> None:
    given: Any = {"customer": plans.customer, "items": [{"price": plans.pro}], **params}

    with pytest.raises(stripe.InvalidRequestError, match=message):
        plans.client.v1.subscriptions.create(given)
    assert plans.client.v1.subscriptions.list({"status": "all"}).data == []


@pytest.mark.parametrize("by_request", [True, False])
def test_customer_who_is_deleted_subscribes_to_nothing(plans: Plans, by_request: bool) -> None:
    subscription = plans.subscribe()
    other = plans.client.v1.customers.create({"name": "Eve"})
    plans.control.subscribe(other.id, plans.pro)
    expanded = plans.client.v1.customers.retrieve(plans.customer, {"expand": ["subscriptions"]})
    assert expanded.subscriptions
    assert [one.id for one in expanded.subscriptions.data] == [subscription.id]

    if by_request:
        plans.client.v1.customers.delete(plans.customer)
    else:
        plans.control.delete_customer(plans.customer)

    assert plans.read(subscription.id).status == "canceled"
    assert plans.control.advance_clock(days=30)["done"] == 1


def test_price_paid_once_is_refused(plans: Plans) -> None:
    with pytest.raises(ApiError, match="recurring"):
        plans.control.subscribe(plans.customer, plans.shop.price.id)
