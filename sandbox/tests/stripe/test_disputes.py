"""Disputes: each step on its own, what each moves, and which events tell of it."""

from collections.abc import Callable

import pytest
import stripe

from sandbox.stripe.errors import ApiError
from sandbox.tests.stripe.shop import SECRET, Shop


@pytest.fixture
def charge(shop: Shop) -> stripe.Charge:
    """A charge of $10.00 by card."""
    shop.control.pay_session(shop.open_session().id)
    return shop.client.v1.charges.list().data[0]


def read(shop: Shop, dispute: dict[str, object]) -> stripe.Dispute:
    return shop.client.v1.disputes.retrieve(str(dispute["id"]))


def test_dispute_takes_the_money_at_once(shop: Shop, charge: stripe.Charge) -> None:
    before = len(shop.event_types())

    opened = shop.control.open_dispute(str(charge.payment_intent), reason="product_not_received")

    dispute = read(shop, opened)
    assert shop.event_types(since=before) == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "product_not_received", 1000)
    assert (dispute.charge, dispute.payment_intent) == (charge.id, charge.payment_intent)
    assert dispute.is_charge_refundable is False
    assert shop.client.v1.charges.retrieve(charge.id).disputed is True
    [movement] = dispute.balance_transactions
    assert (movement.type, movement.amount, movement.fee, movement.net) == ("adjustment", -1000, 1500, -2500)
    assert movement.source == dispute.id


def test_won_dispute_gives_the_money_back(shop: Shop, charge: stripe.Charge) -> None:
    dispute = shop.control.open_dispute(charge.id)
    before = len(shop.event_types())

    shop.control.close_dispute(dispute["id"], "won")

    won = read(shop, dispute)
    assert shop.event_types(since=before) == ["charge.dispute.closed", "charge.dispute.funds_reinstated"]
    assert (won.status, [movement.amount for movement in won.balance_transactions]) == ("won", [-1000, 1000])
    assert shop.client.v1.refunds.create({"charge": charge.id}).status == "succeeded"
    closed = shop.control.list_events("charge.dispute.closed")[0]["data"]
    assert closed["previous_attributes"]["status"] == "needs_response"


def test_lost_dispute_keeps_the_money(shop: Shop, charge: stripe.Charge) -> None:
    dispute = shop.control.open_dispute(charge.id)

    lost = shop.client.v1.disputes.close(dispute["id"])

    assert (lost.status, len(lost.balance_transactions)) == ("lost", 1)
    assert shop.event_types()[-1] == "charge.dispute.closed"
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        shop.client.v1.refunds.create({"charge": charge.id})
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        shop.client.v1.disputes.close(dispute["id"])


def test_money_goes_comes_back_and_goes_again_step_by_step(shop: Shop, charge: stripe.Charge) -> None:
    shop.control.take_events(secret=SECRET)

    dispute = shop.control.open_dispute(charge.id, withdraws=False)
    opened = shop.control.take_events(secret=SECRET)
    shop.control.withdraw_funds(dispute["id"])
    withdrawn = shop.control.take_events(secret=SECRET)
    shop.control.reinstate_funds(dispute["id"])
    shop.control.withdraw_funds(dispute["id"])
    again = shop.control.take_events(secret=SECRET)

    assert [event.type for event in opened] == ["charge.dispute.created"]
    assert [event.type for event in withdrawn] == ["charge.dispute.funds_withdrawn"]
    assert [event.type for event in again] == ["charge.dispute.funds_reinstated", "charge.dispute.funds_withdrawn"]
    assert [movement.amount for movement in read(shop, dispute).balance_transactions] == [-1000, 1000, -1000]
    assert [movement.fee for movement in read(shop, dispute).balance_transactions] == [1500, 0, 0]


def test_money_may_be_reinstated_before_the_dispute_is_won(shop: Shop, charge: stripe.Charge) -> None:
    dispute = shop.control.open_dispute(charge.id)

    shop.control.reinstate_funds(dispute["id"])
    won = shop.control.close_dispute(dispute["id"], "won")

    assert [movement["amount"] for movement in won["balance_transactions"]] == [-1000, 1000]


def test_won_dispute_may_keep_the_money_for_now_and_be_taken_up_again(shop: Shop, charge: stripe.Charge) -> None:
    dispute = shop.control.open_dispute(charge.id)
    shop.control.close_dispute(dispute["id"], "won", reinstates=False)
    shop.control.reinstate_funds(dispute["id"], amount=400)
    shop.control.reinstate_funds(dispute["id"])

    taken = shop.control.withdraw_funds(dispute["id"])

    assert [movement["amount"] for movement in taken["balance_transactions"]] == [-1000, 400, 600, -1000]
    assert taken["status"] == "under_review"
    assert shop.event_types()[-2:] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]


def test_inquiry_takes_no_money(shop: Shop, charge: stripe.Charge) -> None:
    inquiry = shop.control.open_dispute(charge.id, inquiry=True)

    closed = shop.control.close_dispute(inquiry["id"], "warning_closed")

    assert (inquiry["status"], inquiry["is_charge_refundable"]) == ("warning_needs_response", True)
    assert (closed["status"], closed["balance_transactions"]) == ("warning_closed", [])
    assert [kind for kind in shop.event_types() if "dispute" in kind] == [
        "charge.dispute.created",
        "charge.dispute.closed",
    ]


@pytest.mark.parametrize("withdraws", [True, False])
def test_inquiry_escalates(shop: Shop, charge: stripe.Charge, withdraws: bool) -> None:
    inquiry = shop.control.open_dispute(charge.id, inquiry=True, amount=600)
    before = len(shop.event_types())

    escalated = shop.control.escalate_inquiry(inquiry["id"], withdraws=withdraws)

    assert escalated["status"] == "needs_response"
    assert [movement["amount"] for movement in escalated["balance_transactions"]] == ([-600] if withdraws else [])
    assert shop.event_types(since=before) == [
        "charge.dispute.updated",
        *(["charge.dispute.funds_withdrawn"] if withdraws else []),
    ]


def test_steps_that_make_no_sense_are_refused(shop: Shop, charge: stripe.Charge) -> None:
    inquiry = shop.control.open_dispute(charge.id, inquiry=True)
    dispute = shop.control.open_dispute(charge.id)

    refusals: list[Callable[[], object]] = [
        lambda: shop.control.withdraw_funds(inquiry["id"]),
        lambda: shop.control.withdraw_funds(dispute["id"]),
        lambda: shop.control.reinstate_funds(inquiry["id"]),
        lambda: shop.control.reinstate_funds(dispute["id"], amount=1001),
        lambda: shop.control.escalate_inquiry(dispute["id"]),
        lambda: shop.control.close_dispute(inquiry["id"], "won"),
        lambda: shop.control.close_dispute(dispute["id"], "warning_closed"),
        lambda: shop.control.open_dispute(charge.id, amount=0),
    ]

    for refusal in refusals:
        with pytest.raises(ApiError):
            refusal()
    with pytest.raises(stripe.InvalidRequestError, match="inquiry"):
        shop.client.v1.disputes.close(inquiry["id"])


def test_evidence_puts_a_dispute_under_review(shop: Shop, charge: stripe.Charge) -> None:
    dispute = shop.control.open_dispute(charge.id)

    shop.client.v1.disputes.update(dispute["id"], {"evidence": {"uncategorized_text": "They used it."}})
    reviewed = shop.client.v1.disputes.update(dispute["id"], {"submit": True, "metadata": {"case": "1"}})

    assert (reviewed.status, reviewed.evidence.uncategorized_text) == ("under_review", "They used it.")
    assert reviewed.evidence_details.submission_count == 1
    assert shop.event_types().count("charge.dispute.updated") == 2


def test_disputes_are_listed_by_charge_and_intent(shop: Shop, charge: stripe.Charge) -> None:
    dispute = shop.control.open_dispute(charge.id)

    by_charge = shop.client.v1.disputes.list({"charge": charge.id, "expand": ["data.charge"]})
    by_intent = shop.client.v1.disputes.list({"payment_intent": "pi_other"})

    assert [one.id for one in by_charge.data] == [dispute["id"]]
    assert isinstance(by_charge.data[0].charge, stripe.Charge)
    assert by_intent.data == []
