"""Thousands of payments written at once, and the lists that are read of them."""

import json
import sqlite3
from pathlib import Path

import pytest
import stripe

from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource
from sandbox.stripe.store import Condition, Store
from sandbox.tests.stripe.shop import Shop


def test_filled_payments_read_as_if_they_had_been_made(shop: Shop) -> None:
    customer = shop.client.v1.customers.create({"email": "ada@example.com"})
    orders: list[Resource] = [
        {"reference": "pay_1"},
        {"reference": 'pay_"2" 100%', "amount": 250},
        {"reference": "pay_3"},
    ]

    made = shop.control.fill_payments(orders, customer=customer.id, starting_at=1_700_000_000, seconds_apart=60)

    sessions = shop.client.v1.checkout.sessions.list({"expand": ["data.payment_intent.latest_charge"]}).data
    assert [session.client_reference_id for session in sessions] == ["pay_3", 'pay_"2" 100%', "pay_1"]
    assert [session.created for session in sessions] == [1_700_000_120, 1_700_000_060, 1_700_000_000]
    assert [session.id for session in sessions][::-1] == [one["session"] for one in made]
    second = sessions[1]
    assert (second.amount_total, second.payment_status, second.customer) == (250, "paid", customer.id)
    assert second.metadata
    assert second.metadata.to_dict() == {"payment_id": 'pay_"2" 100%'}
    assert isinstance(second.payment_intent, stripe.PaymentIntent)
    charge = second.payment_intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.amount, charge.metadata.to_dict(), charge.customer) == (250, second.metadata.to_dict(), customer.id)
    moved = shop.client.v1.balance_transactions.retrieve(str(charge.balance_transaction))
    assert (moved.amount, moved.fee, moved.net, moved.source) == (250, 37, 213, charge.id)
    assert shop.client.v1.invoices.retrieve(str(second.invoice)).amount_paid == 250
    found = shop.client.v1.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": second.payment_intent.id}}
    )
    assert [payment.invoice for payment in found.data] == [second.invoice]
    assert shop.client.v1.checkout.sessions.line_items.list(second.id).data[0].amount_total == 250


def test_filled_payments_are_given_back_by_their_share(shop: Shop) -> None:
    made = shop.control.fill_payments(200, refunded_percent=3, disputed_percent=2, amount=700)

    by_ending = {ending: [one for one in made if one["ending"] == ending] for ending in ("refunded", "disputed")}
    assert {ending: len(found) for ending, found in by_ending.items()} == {"refunded": 6, "disputed": 4}
    refund = shop.client.v1.refunds.list({"charge": by_ending["refunded"][0]["charge"]}).data[0]
    dispute = shop.client.v1.disputes.list({"charge": by_ending["disputed"][0]["charge"]}).data[0]
    assert (refund.amount, refund.id) == (700, by_ending["refunded"][0]["refund"])
    assert dispute.balance_transactions[0].net == -2200
    assert len(shop.client.v1.balance_transactions.list({"type": "adjustment"}).data) == 4


def test_filled_payments_live_on(shop: Shop) -> None:
    made = shop.control.fill_payments(1)

    shop.control.refund_payment(made[0]["session"], amount=100)

    assert shop.client.v1.charges.retrieve(made[0]["charge"]).amount_refunded == 100


def test_events_come_with_filled_payments_when_asked_for(shop: Shop) -> None:
    shop.control.fill_payments(2, with_events=True, with_invoices=False, starting_at=1_700_000_000)

    completed = shop.client.v1.events.list({"type": "checkout.session.completed", "created": {"lt": 1_700_000_002}})

    assert [event.data.object["client_reference_id"] for event in completed.data] == ["payment-1", "payment-0"]
    assert shop.client.v1.invoices.list().data == []


def test_list_goes_by_time_whatever_was_saved_last(shop: Shop) -> None:
    shop.control.pay_session(shop.open_session().id)
    now = shop.client.v1.charges.list().data[0]
    shop.control.fill_payments(3, starting_at=1_700_000_000)

    charges = shop.client.v1.charges.list({"limit": 2})
    rest = shop.client.v1.charges.list({"starting_after": charges.data[1].id})
    back = shop.client.v1.charges.list({"ending_before": rest.data[0].id})

    assert charges.data[0].id == now.id
    assert charges.has_more is True
    assert [charge.created for charge in charges.data[1:] + rest.data] == [1_700_000_002, 1_700_000_001, 1_700_000_000]
    assert [charge.id for charge in back.data] == [charge.id for charge in charges.data]


def test_all_pages_together_are_the_whole_list_once(shop: Shop) -> None:
    made = shop.control.fill_payments(250, seconds_apart=0, starting_at=1_700_000_000)

    pages = shop.client.v1.payment_intents.list({"limit": 100, "created": {"gte": 1_700_000_000}})
    ids = [intent.id for intent in pages.auto_paging_iter()]

    assert len(ids) == 250
    assert set(ids) == {one["payment_intent"] for one in made}


@pytest.mark.parametrize(
    ("kind", "condition", "index"),
    [
        ("checkout.session", Condition("created", ">=", 5), "objects_by_created"),
        ("charge", Condition("payment_intent", "=", "pi_1"), "objects_by_payment_intent"),
        ("refund", Condition("charge", "=", "ch_1"), "objects_by_charge"),
        ("balance_transaction", Condition("source", "=", "re_1"), "objects_by_source"),
        ("event", Condition("type", "=", "refund.failed"), "objects_by_type"),
        ("event", Condition("type", "=", ["refund.failed", "refund.created"]), "objects_by_created"),
        ("invoice_payment", Condition("payment.payment_intent", "=", "pi_1"), "objects_by_payment_intent"),
    ],
)
def test_page_is_read_from_an_index_without_sorting(kind: str, condition: Condition, index: str) -> None:
    sandbox = Sandbox()
    with sandbox.work():
        plan = " ".join(sandbox.store.explain_page(kind, [condition]))

    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_state_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    old = sqlite3.connect(path)
    old.execute(
        "CREATE TABLE objects (sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
        " kind TEXT NOT NULL, due_at REAL, body TEXT NOT NULL)"
    )
    refund: Resource = {"id": "re_1", "object": "refund", "created": 5, "charge": "ch_1"}
    payment: Resource = {"id": "inpay_1", "object": "invoice_payment", "payment": {"payment_intent": "pi_1"}}
    for resource in (refund, payment):
        row = [resource["id"], resource["object"], json.dumps(resource)]
        old.execute("INSERT INTO objects (id, kind, body) VALUES (?, ?, ?)", row)
    old.commit()
    old.close()

    store = Store(str(path))

    with store.unit():
        assert store.find_page("refund", [Condition("charge", "=", "ch_1")], limit=1) == [refund]
        assert store.find_page("refund", [Condition("created", "<", 5)], limit=1) == []
        assert store.find("invoice_payment", [Condition("payment.payment_intent", "=", "pi_1")]) == [payment]
    store.close()
