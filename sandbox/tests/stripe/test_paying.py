"""The state machine: what each way to pay does, and which events follow from it."""

import pytest
import stripe

from sandbox.stripe.errors import ApiError
from sandbox.tests.stripe.shop import SECRET, Shop

PAID_EVENTS = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"]


def test_card_pays_at_once(shop: Shop) -> None:
    session = shop.open_session(payment_intent_data={"metadata": {"payment": "1"}}, metadata={"only": "session"})
    before = len(shop.event_types())

    attempt = shop.control.pay_session(session.id, email="ada@example.com")

    paid = shop.read_session(session.id, "payment_intent")
    assert attempt.outcome == "paid"
    assert shop.event_types(since=before) == PAID_EVENTS
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert paid.customer_details
    assert paid.customer_details.email == "ada@example.com"
    assert isinstance(paid.payment_intent, stripe.PaymentIntent)
    assert (paid.payment_intent.status, paid.payment_intent.amount_received) == ("succeeded", 1000)
    assert paid.payment_intent.metadata.to_dict() == {"payment": "1"}


@pytest.mark.parametrize(
    ("card", "decline_code", "message"),
    [
        ("4000000000000002", "generic_decline", "Your card was declined."),
        ("4000000000009995", "insufficient_funds", "Your card has insufficient funds."),
        ("4000000000000069", "expired_card", "Your card has expired."),
    ],
)
def test_declined_card_leaves_the_session_open(shop: Shop, card: str, decline_code: str, message: str) -> None:
    session = shop.open_session()
    before = len(shop.event_types())

    attempt = shop.control.pay_session(session.id, card=card)

    tried = shop.read_session(session.id, "payment_intent")
    assert (attempt.outcome, attempt.message) == ("declined", message)
    assert shop.event_types(since=before) == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]
    assert (tried.status, tried.payment_status) == ("open", "unpaid")
    assert isinstance(tried.payment_intent, stripe.PaymentIntent)
    assert tried.payment_intent.status == "requires_payment_method"
    assert tried.payment_intent.last_payment_error
    assert tried.payment_intent.last_payment_error.decline_code == decline_code


def test_second_card_pays_the_same_intent(shop: Shop) -> None:
    session = shop.open_session()
    shop.control.pay_session(session.id, card="4000000000000002")
    before = len(shop.event_types())

    shop.control.pay_session(session.id)

    assert shop.event_types(since=before) == PAID_EVENTS[1:]
    assert len(shop.client.v1.payment_intents.list().data) == 1
    assert len(shop.client.v1.charges.list().data) == 2


@pytest.mark.parametrize(
    ("succeed", "last_event", "status"),
    [(True, "checkout.session.completed", "complete"), (False, "payment_intent.payment_failed", "open")],
)
def test_three_d_secure(shop: Shop, succeed: bool, last_event: str, status: str) -> None:
    session = shop.open_session()

    waiting = shop.control.pay_session(session.id, card="4000002500003155", authenticate=None)
    asked = shop.read_session(session.id, "payment_intent").payment_intent
    shop.control.authenticate_session(session.id, succeed=succeed)

    assert waiting.outcome == "asks_authentication"
    assert isinstance(asked, stripe.PaymentIntent)
    assert asked.status == "requires_action"
    assert "payment_intent.requires_action" in shop.event_types()
    assert shop.event_types()[-1] == last_event
    assert shop.read_session(session.id).status == status


def test_bank_debit_completes_unpaid_and_pays_later(shop: Shop) -> None:
    session = shop.open_session(invoice_creation={"enabled": True})
    before = len(shop.event_types())

    shop.control.pay_session(session.id, method="bank_debit", email="ada@example.com")
    waiting = shop.read_session(session.id)
    halfway = len(shop.event_types())
    shop.control.settle_delayed(session.id)

    assert (waiting.status, waiting.payment_status, waiting.invoice) == ("complete", "unpaid", None)
    assert shop.event_types()[before:halfway] == [
        "payment_intent.created",
        "payment_intent.processing",
        "charge.pending",
        "customer.created",
        "checkout.session.completed",
    ]
    assert shop.event_types(since=halfway) == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "customer.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "checkout.session.async_payment_succeeded",
    ]
    assert shop.read_session(session.id).payment_status == "paid"
    assert shop.read_session(session.id).invoice


def test_bank_debit_that_fails(shop: Shop) -> None:
    session = shop.open_session()
    shop.control.pay_session(session.id, method="bank_debit")
    before = len(shop.event_types())

    shop.control.settle_delayed(session.id, succeed=False)

    assert shop.event_types(since=before) == [
        "charge.failed",
        "payment_intent.payment_failed",
        "checkout.session.async_payment_failed",
    ]
    assert shop.read_session(session.id).payment_status == "unpaid"
    with pytest.raises(ApiError):
        shop.control.settle_delayed(session.id)


def test_free_code_needs_no_payment(shop: Shop) -> None:
    session = shop.open_session(allow_promotion_codes=True)
    before = len(shop.event_types())

    attempt = shop.control.pay_session(session.id, code="FREE100")

    done = shop.read_session(session.id)
    assert attempt.outcome == "free"
    assert shop.event_types(since=before) == ["checkout.session.completed"]
    assert (done.payment_status, done.payment_intent) == ("no_payment_required", None)
    assert (done.amount_subtotal, done.amount_total) == (1000, 0)


def test_half_code_halves_what_is_charged(shop: Shop) -> None:
    session = shop.open_session(allow_promotion_codes=True)

    shop.control.pay_session(session.id, code="HALF50")

    assert shop.read_session(session.id).amount_subtotal == 1000
    assert shop.client.v1.payment_intents.list().data[0].amount_received == 500


def test_code_is_refused_where_none_is_taken(shop: Shop) -> None:
    session = shop.open_session()

    with pytest.raises(ValueError, match="does not take"):
        shop.control.pay_session(session.id, code="FREE100")


def test_session_is_paid_once(shop: Shop) -> None:
    session = shop.open_session()
    shop.control.pay_session(session.id)

    with pytest.raises(ApiError, match="complete"):
        shop.control.pay_session(session.id)
    with pytest.raises(stripe.InvalidRequestError, match="Only open"):
        shop.client.v1.checkout.sessions.expire(session.id)


def test_expired_session_cannot_be_paid(shop: Shop) -> None:
    session = shop.open_session()

    expired = shop.client.v1.checkout.sessions.expire(session.id)

    assert (expired.status, expired.payment_status) == ("expired", "unpaid")
    assert shop.event_types()[-1] == "checkout.session.expired"
    with pytest.raises(ApiError, match="expired"):
        shop.control.pay_session(session.id)


def test_customer_is_made_when_asked_for(shop: Shop) -> None:
    session = shop.open_session(customer_creation="always", customer_email="ada@example.com")

    shop.control.pay_session(session.id)

    paid = shop.read_session(session.id, "customer", "payment_intent")
    assert isinstance(paid.customer, stripe.Customer)
    assert paid.customer.email == "ada@example.com"
    assert isinstance(paid.payment_intent, stripe.PaymentIntent)
    assert paid.payment_intent.customer == paid.customer.id


def test_events_are_listed_and_filtered(shop: Shop) -> None:
    session = shop.open_session()
    shop.control.pay_session(session.id)

    listed = shop.client.v1.events.list({"types": ["charge.succeeded", "checkout.session.completed"]})
    one = shop.client.v1.events.list({"type": "charge.succeeded", "delivery_success": True})

    assert [event.type for event in listed.data] == ["checkout.session.completed", "charge.succeeded"]
    assert [event.type for event in one.data] == ["charge.succeeded"]
    assert shop.client.v1.events.retrieve(listed.data[0].id).data.object["id"] == session.id
    assert listed.data[0].api_version == stripe.api_version
    assert listed.data[0].livemode is False


def test_taken_events_carry_signatures_that_the_sdk_accepts(shop: Shop) -> None:
    session = shop.open_session()
    shop.control.take_events(secret=SECRET)
    shop.control.pay_session(session.id)

    taken = shop.control.take_events(secret=SECRET)

    assert [event.type for event in taken] == PAID_EVENTS
    assert shop.control.take_events(secret=SECRET) == []
    for event in taken:
        built = shop.client.construct_event(event.payload, event.signature, SECRET)
        assert built.id == event.id


@pytest.mark.parametrize("signature", ["wrong", "old"])
def test_bad_signatures_are_refused_by_the_sdk(shop: Shop, signature: str) -> None:
    event = shop.control.list_events()[0]

    signed = shop.control.sign_event(event, secret=SECRET, signature=signature)  # type: ignore[arg-type]

    with pytest.raises(stripe.SignatureVerificationError):
        shop.client.construct_event(signed.payload, signed.signature, SECRET)


def test_two_secrets_give_two_signatures(shop: Shop) -> None:
    event = shop.control.list_events()[0]

    signed = shop.control.sign_event(event, secret=["whsec_old", "whsec_new"])

    assert signed.signature.count("v1=") == 2
    for secret in ("whsec_old", "whsec_new"):
        assert shop.client.construct_event(signed.payload, signed.signature, secret).id == event["id"]
