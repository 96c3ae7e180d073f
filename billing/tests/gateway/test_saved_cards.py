"""Cards that are saved, and money taken from them, against the sandbox."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.errors import (
    PaymentDeclined,
    PaymentNeedsAuthentication,
    StripeObjectMissing,
    StripeRefused,
    StripeUnavailable,
)
from billing.gateway.client import StripeGateway, amount_line
from billing.gateway.facts import PaymentIntentFacts
from billing.gateway.saved_cards import parse_card
from sandbox.stripe.server import SandboxServer


@pytest.fixture
def stripe(stripe_sandbox: SandboxServer) -> StripeGateway:
    return StripeGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url, max_network_retries=0)


@pytest.fixture
def customer_id(stripe: StripeGateway) -> str:
    return stripe.create_customer(email="a@example.com", reference="cust_1", idempotency_key="customer-1").id


def save_card(stripe_sandbox: SandboxServer, customer_id: str, card: str = "4242424242424242") -> str:
    return str(stripe_sandbox.control.save_card(customer_id, card=card)["id"])


def charge(stripe: StripeGateway, customer_id: str, card: str, **fields: Any) -> PaymentIntentFacts:
    arguments: dict[str, Any] = {
        "customer_id": customer_id,
        "payment_method_id": card,
        "amount_minor": 1900,
        "currency": "usd",
        "payment_reference": "pay_1",
        "description": "20,000 credits",
        "idempotency_key": "topup-1",
    }
    return stripe.create_off_session_intent(**{**arguments, **fields})


def test_checkout_saves_the_card_where_it_is_told_to(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    session = stripe.create_checkout_session(
        payment_reference="pay_1",
        customer_id=customer_id,
        line_item=amount_line(amount_minor=1000, currency="usd", name="10,000 credits"),
        ui_mode="hosted_page",
        return_url="http://127.0.0.1/return/",
        cancel_url="http://127.0.0.1/cancelled/",
        description="10,000 credits",
        takes_codes=False,
        is_taxed=False,
        saves_card=True,
        idempotency_key="checkout-1",
    )

    stripe_sandbox.control.pay_session(session.id)

    paid = stripe.retrieve_session(session_id=session.id)
    intent = stripe.retrieve_payment_intent(payment_intent_id=paid.payment_intent_id)
    (card,) = stripe.list_cards(customer_id=customer_id)
    assert card.id == intent.payment_method_id
    assert (card.type, card.brand, card.last4, card.customer_id) == ("card", "visa", "4242", customer_id)
    assert card.exp_month == 12
    assert stripe.retrieve_card(payment_method_id=card.id) == card


def test_saved_card_is_charged_once_under_one_key(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    card = save_card(stripe_sandbox, customer_id)

    first, again = (charge(stripe, customer_id, card) for _ in range(2))

    assert first == again
    assert (first.status, first.amount_received_minor, first.payment_reference) == ("succeeded", 1900, "pay_1")
    assert (first.customer_id, first.payment_method_id) == (customer_id, card)
    assert first.receipt_url
    assert first.charged_at
    assert len(stripe_sandbox.control.list_objects("charge")) == 1


def test_post_without_a_key_is_a_mistake_of_ours(stripe: StripeGateway) -> None:
    with pytest.raises(ValueError, match="idempotency key"):
        charge(stripe, "cus_1", "pm_1", idempotency_key="")


@pytest.mark.parametrize(
    ("card", "kind", "code", "decline_code"),
    [
        ("4000000000000341", PaymentDeclined, "card_declined", "generic_decline"),
        ("4000000000009995", PaymentDeclined, "card_declined", "insufficient_funds"),
        ("4000000000000069", PaymentDeclined, "expired_card", "expired_card"),
        (
            "4000002760003184",
            PaymentNeedsAuthentication,
            "authentication_required",
            "authentication_required",
        ),
    ],
)
def test_failed_payment_says_why_and_names_its_intent(
    stripe: StripeGateway,
    stripe_sandbox: SandboxServer,
    customer_id: str,
    card: str,
    kind: type[PaymentDeclined],
    code: str,
    decline_code: str,
) -> None:
    saved = save_card(stripe_sandbox, customer_id, card)

    with pytest.raises(PaymentDeclined) as caught:
        charge(stripe, customer_id, saved)

    refusal = caught.value
    assert type(refusal) is kind
    assert (refusal.stripe_code, refusal.decline_code, refusal.payment_method_id) == (code, decline_code, saved)
    assert refusal.request_id
    intent = stripe.retrieve_payment_intent(payment_intent_id=refusal.payment_intent_id)
    assert intent.status == "requires_payment_method"
    assert intent.failure
    assert (intent.failure.code, intent.failure.charge_id) == (code, refusal.charge_id)
    assert (intent.charge_id, intent.payment_method_id) == (refusal.charge_id, saved)


def test_refusal_before_the_bank_is_no_decline(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    card = save_card(stripe_sandbox, customer_id)

    with pytest.raises(StripeObjectMissing):
        charge(stripe, customer_id, "pm_unknown")
    with pytest.raises(StripeRefused) as caught:
        charge(stripe, customer_id, card, amount_minor=1, idempotency_key="topup-2")

    assert not isinstance(caught.value, PaymentDeclined)
    assert stripe_sandbox.control.list_objects("payment_intent") == []


@pytest.mark.parametrize("fault", ["lost_response", "dropped_connection"])
def test_lost_answer_is_unknown_and_can_be_looked_up(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str, fault: Any
) -> None:
    card, begun = save_card(stripe_sandbox, customer_id), datetime.now(UTC) - timedelta(minutes=1)
    stripe_sandbox.control.add_fault(fault, method="POST", path="/v1/payment_intents")

    with pytest.raises(StripeUnavailable):
        charge(stripe, customer_id, card)

    (found,) = stripe.find_intents_of(customer_id=customer_id, created_after=begun)
    assert (found.status, found.payment_reference) == ("succeeded", "pay_1")
    assert charge(stripe, customer_id, card).id == found.id
    assert list(stripe.find_intents_of(customer_id=customer_id, created_after=begun + timedelta(hours=1))) == []


def test_timeout_is_unknown(stripe_sandbox: SandboxServer, customer_id: str) -> None:
    impatient = StripeGateway(
        secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url, timeout_seconds=0.3, max_network_retries=0
    )
    card = save_card(stripe_sandbox, customer_id)
    stripe_sandbox.control.add_fault("timeout", method="POST", path="/v1/payment_intents", seconds=1.0)

    with pytest.raises(StripeUnavailable):
        charge(impatient, customer_id, card)

    patient = StripeGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url)
    assert charge(patient, customer_id, card).status == "succeeded"
    assert len(stripe_sandbox.control.list_objects("charge")) == 1


def test_used_key_with_other_values_never_proves_that_nothing_was_taken(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    card = save_card(stripe_sandbox, customer_id)
    charge(stripe, customer_id, card)

    with pytest.raises(StripeUnavailable):
        charge(stripe, customer_id, card, amount_minor=2000)


def test_declined_key_stays_declined(stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str) -> None:
    card = save_card(stripe_sandbox, customer_id, "4000000000000341")
    with pytest.raises(PaymentDeclined) as first:
        charge(stripe, customer_id, card)
    stripe_sandbox.control.change_card(card, card="4242424242424242")

    with pytest.raises(PaymentDeclined) as again:
        charge(stripe, customer_id, card)

    assert again.value.payment_intent_id == first.value.payment_intent_id
    assert charge(stripe, customer_id, card, idempotency_key="topup-2").status == "succeeded"


def test_failed_intent_can_be_canceled_once(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    card = save_card(stripe_sandbox, customer_id, "4000002760003184")
    with pytest.raises(PaymentNeedsAuthentication) as caught:
        charge(stripe, customer_id, card)
    intent_id = caught.value.payment_intent_id

    assert stripe.cancel_intent(payment_intent_id=intent_id, idempotency_key="cancel-1").status == "canceled"
    with pytest.raises(StripeRefused):
        stripe.cancel_intent(payment_intent_id=intent_id, idempotency_key="cancel-2")


def test_card_is_detached_for_good(stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str) -> None:
    card = save_card(stripe_sandbox, customer_id)

    detached = stripe.detach_card(payment_method_id=card, idempotency_key="detach-1")

    assert detached.customer_id == ""
    assert stripe.list_cards(customer_id=customer_id) == []
    with pytest.raises(StripeRefused):
        charge(stripe, customer_id, card)


@pytest.mark.parametrize("odd", [None, 0, "", "nul\x00", "\ud800", [], {}, True, {"card": {"last4": 4242}}])
def test_odd_payment_methods_never_raise(odd: Any) -> None:
    names = ["id", "type", "customer", "card", "created"]

    card = parse_card({**dict.fromkeys(names, odd), "type": "card"})

    assert (card.last4, card.exp_year) == ("", None)
