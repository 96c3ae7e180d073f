"""Refunds: what they refuse, what they move, and which events tell of them."""

import pytest
import stripe

from sandbox.stripe.errors import ApiError
from sandbox.tests.stripe.shop import SECRET, Shop, wait_until


def pay(shop: Shop, **how: str) -> stripe.Charge:
    """The charge of a session that was just paid."""
    session = shop.open_session()
    shop.control.pay_session(session.id, **how)  # type: ignore[arg-type]
    if how.get("method") == "bank_debit":
        shop.control.settle_delayed(session.id)
    return shop.client.v1.charges.list({"limit": 1}).data[0]


def test_card_is_refunded_at_once(shop: Shop) -> None:
    charge = pay(shop)
    before = len(shop.event_types())

    refund = shop.client.v1.refunds.create(
        {"payment_intent": str(charge.payment_intent), "reason": "requested_by_customer", "metadata": {"ticket": "7"}}
    )

    moved = shop.client.v1.balance_transactions.retrieve(str(refund.balance_transaction))
    now = shop.client.v1.charges.retrieve(charge.id)
    assert (refund.status, refund.amount, refund.charge) == ("succeeded", 1000, charge.id)
    assert refund.metadata
    assert refund.metadata.to_dict() == {"ticket": "7"}
    assert (now.amount_refunded, now.refunded) == (1000, True)
    assert (moved.type, moved.amount, moved.fee, moved.net, moved.source) == ("refund", -1000, 0, -1000, refund.id)
    assert shop.event_types(since=before) == ["charge.refunded", "refund.created"]


def test_partial_refunds_add_up_in_the_charge_and_in_its_events(shop: Shop) -> None:
    charge = pay(shop)

    for amount in (300, 300, None):
        shop.control.refund_payment(charge.id, amount=amount)

    told = [event["data"] for event in shop.control.list_events("charge.refunded")]
    assert [one["object"]["amount_refunded"] for one in told] == [300, 600, 1000]
    assert [one["object"]["refunded"] for one in told] == [False, False, True]
    assert [one["previous_attributes"]["amount_refunded"] for one in told] == [0, 300, 600]
    assert "refunds" not in told[0]["object"]
    assert [refund.amount for refund in shop.client.v1.refunds.list({"charge": charge.id}).data] == [400, 300, 300]


def test_refunds_of_a_charge_are_there_when_asked_for(shop: Shop) -> None:
    charge = pay(shop)
    refund = shop.control.refund_payment(charge.id, amount=1)

    expanded = shop.client.v1.charges.retrieve(charge.id, {"expand": ["refunds"]})

    assert "refunds" not in shop.client.v1.charges.retrieve(charge.id)
    assert expanded.refunds
    assert [one.id for one in expanded.refunds.data] == [refund["id"]]


def test_bank_debit_is_refunded_later(shop: Shop) -> None:
    charge = pay(shop, method="bank_debit")

    refund = shop.client.v1.refunds.create({"charge": charge.id, "amount": 400})
    before = len(shop.event_types())
    shop.control.end_refund(refund.id)

    moved = shop.client.v1.balance_transactions.list({"source": refund.id}).data
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert shop.client.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert [one.type for one in moved] == ["payment_refund"]
    assert shop.event_types(since=before) == ["refund.updated", "charge.refund.updated"]
    previous = shop.control.list_events("refund.updated")[0]["data"]["previous_attributes"]
    assert previous == {"status": "pending", "pending_reason": "processing"}


@pytest.mark.parametrize("status", ["pending", "succeeded"])
def test_failed_refund_gives_the_charge_its_money_back(shop: Shop, status: str) -> None:
    charge = pay(shop)
    refund = shop.control.refund_payment(charge.id, status=status)  # type: ignore[arg-type]
    before = len(shop.event_types())

    failed = shop.control.end_refund(refund["id"], "failed", failure_reason="lost_or_stolen_card")

    now = shop.client.v1.charges.retrieve(charge.id)
    returned = shop.client.v1.balance_transactions.retrieve(failed["failure_balance_transaction"])
    assert (now.amount_refunded, now.refunded) == (0, False)
    assert (failed["status"], failed["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert (returned.type, returned.amount, returned.source) == ("refund_failure", 1000, refund["id"])
    assert shop.event_types(since=before) == ["refund.updated", "charge.refund.updated", "refund.failed"]
    assert shop.client.v1.refunds.create({"charge": charge.id}).status == "succeeded"


def test_refund_that_waits_for_the_customer_can_be_canceled(shop: Shop) -> None:
    charge = pay(shop)
    shop.control.set_refunds(status="requires_action")
    waiting = shop.client.v1.refunds.create({"charge": charge.id})

    canceled = shop.client.v1.refunds.cancel(waiting.id)

    assert (waiting.status, waiting.balance_transaction) == ("requires_action", None)
    assert (canceled.status, canceled.balance_transaction) == ("canceled", None)
    assert shop.client.v1.charges.retrieve(charge.id).amount_refunded == 0
    with pytest.raises(stripe.InvalidRequestError, match="canceled"):
        shop.client.v1.refunds.cancel(waiting.id)
    shop.control.set_refunds(status=None)
    assert shop.client.v1.refunds.create({"charge": charge.id}).status == "succeeded"


def test_refund_that_waited_takes_the_money_when_it_succeeds(shop: Shop) -> None:
    charge = pay(shop)
    waiting = shop.control.refund_payment(charge.id, status="requires_action")

    done = shop.control.end_refund(waiting["id"])

    assert done["status"] == "succeeded"
    assert shop.client.v1.balance_transactions.retrieve(done["balance_transaction"]).amount == -1000


def test_refund_keeps_new_metadata(shop: Shop) -> None:
    refund = shop.control.refund_payment(pay(shop).id)
    before = len(shop.event_types())

    updated = shop.client.v1.refunds.update(refund["id"], {"metadata": {"order_id": "6735"}})
    shop.client.v1.refunds.update(refund["id"], {"metadata": {"order_id": "6735"}})

    assert updated.metadata
    assert updated.metadata.to_dict() == {"order_id": "6735"}
    assert shop.event_types(since=before) == ["refund.updated", "charge.refund.updated"]


def test_more_than_what_is_left_is_refused(shop: Shop) -> None:
    charge = pay(shop)
    shop.control.refund_payment(charge.id, amount=300)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.client.v1.refunds.create({"charge": charge.id, "amount": 701})

    assert (refused.value.param, refused.value.code) == ("amount", None)
    assert "Refund amount ($7.01) is greater than unrefunded amount on charge ($7.00)" in str(refused.value)


@pytest.mark.parametrize("amount", [0, -5])
def test_amount_must_be_positive(shop: Shop, amount: int) -> None:
    charge = pay(shop)

    with pytest.raises(stripe.InvalidRequestError, match="positive") as refused:
        shop.client.v1.refunds.create({"charge": charge.id, "amount": amount})

    assert refused.value.code == "parameter_invalid_integer"


def test_charge_is_refunded_in_full_once(shop: Shop) -> None:
    charge = pay(shop)
    shop.control.refund_payment(charge.id)

    with pytest.raises(stripe.InvalidRequestError, match="already been refunded") as refused:
        shop.client.v1.refunds.create({"charge": charge.id})

    assert refused.value.code == "charge_already_refunded"


def test_disputed_charge_is_not_refunded(shop: Shop) -> None:
    charge = pay(shop)
    shop.control.open_dispute(charge.id)

    with pytest.raises(stripe.InvalidRequestError, match="charged back") as refused:
        shop.client.v1.refunds.create({"charge": charge.id})

    assert refused.value.code == "charge_disputed"


def test_unpaid_intent_is_not_refunded(shop: Shop) -> None:
    session = shop.open_session()
    shop.control.pay_session(session.id, card="4000000000000002")
    intent = shop.client.v1.payment_intents.list().data[0]
    charge = shop.client.v1.charges.list().data[0]

    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        shop.client.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError, match="took no money"):
        shop.client.v1.refunds.create({"charge": charge.id})
    with pytest.raises(stripe.InvalidRequestError, match="should be provided"):
        shop.client.v1.refunds.create({})
    with pytest.raises(stripe.InvalidRequestError, match="No such charge"):
        shop.client.v1.refunds.create({"charge": "ch_none"})


def test_ended_refund_does_not_end_again(shop: Shop) -> None:
    refund = shop.control.refund_payment(pay(shop).id)
    shop.control.end_refund(refund["id"], "failed")

    with pytest.raises(ApiError, match="cannot become"):
        shop.control.end_refund(refund["id"], "succeeded")


def test_repeated_request_refunds_once(shop: Shop) -> None:
    charge = pay(shop)

    first = shop.client.v1.refunds.create({"charge": charge.id, "amount": 100}, {"idempotency_key": "refund-1"})
    again = shop.client.v1.refunds.create({"charge": charge.id, "amount": 100}, {"idempotency_key": "refund-1"})

    assert first.id == again.id
    assert shop.client.v1.charges.retrieve(charge.id).amount_refunded == 100


@pytest.mark.parametrize(
    ("how", "first", "last"),
    [
        ({"method": "bank_debit"}, "pending", "succeeded"),
        ({"card": "4000000000007726"}, "pending", "succeeded"),
        ({"card": "4000000000005126"}, "succeeded", "failed"),
    ],
)
def test_refund_ends_by_itself_where_debits_do(shop: Shop, how: dict[str, str], first: str, last: str) -> None:
    charge = pay(shop, **how)
    shop.server.sandbox.settle_after_seconds = 0.05

    refund = shop.client.v1.refunds.create({"charge": charge.id})
    shop.client.v1.refunds.update(refund.id, {"metadata": {"ticket": "7"}})

    shop.server.sandbox.settle_after_seconds = None
    wait_until(lambda: shop.client.v1.refunds.retrieve(refund.id).status == last)
    assert refund.status == first


def test_payment_is_found_by_session_and_intent(shop: Shop) -> None:
    session = shop.open_session()
    with pytest.raises(ApiError, match="Nothing was charged"):
        shop.control.refund_payment(session.id)
    shop.control.pay_session(session.id)
    intent = shop.read_session(session.id).payment_intent

    by_session = shop.control.refund_payment(session.id, amount=1)
    by_intent = shop.control.refund_payment(str(intent), amount=2)

    assert by_session["charge"] == by_intent["charge"]


def test_events_of_a_refund_can_be_dropped_and_are_listed_as_missed(shop: Shop) -> None:
    charge = pay(shop)
    shop.control.add_endpoint("http://127.0.0.1:9/", secrets=SECRET)
    shop.control.set_deliveries(mode="drop")

    shop.client.v1.refunds.create({"charge": charge.id})

    missed = shop.client.v1.events.list({"delivery_success": False}).data
    states = {delivery["state"] for delivery in shop.control.list_objects("sandbox.delivery")}
    assert [event.type for event in missed] == ["refund.created", "charge.refunded"]
    assert states == {"dropped"}


def test_what_moved_the_balance_leads_to_the_charge(shop: Shop) -> None:
    charge = pay(shop)
    refund = shop.control.refund_payment(charge.id)

    moved = shop.client.v1.balance_transactions.list({"type": "refund", "expand": ["data.source.charge"]}).data
    listed = shop.client.v1.refunds.list({"expand": ["data.charge.balance_transaction", "data.balance_transaction"]})

    assert isinstance(moved[0].source, stripe.Refund)
    assert isinstance(moved[0].source.charge, stripe.Charge)
    assert moved[0].source.id == refund["id"]
    assert isinstance(listed.data[0].balance_transaction, stripe.BalanceTransaction)
    assert isinstance(listed.data[0].charge, stripe.Charge)
    assert isinstance(listed.data[0].charge.balance_transaction, stripe.BalanceTransaction)
