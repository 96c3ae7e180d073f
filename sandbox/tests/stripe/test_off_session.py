"""Payments without the customer: saved cards, and intents that a request makes."""

import time
from typing import Any

import pytest
import stripe

from sandbox.stripe.errors import ApiError
from sandbox.tests.stripe.shop import Shop

ALWAYS_ASKS, ASKS, DECLINED_LATER = "4000002760003184", "4000002500003155", "4000000000000341"


@pytest.fixture
def customer(shop: Shop) -> str:
    return shop.client.v1.customers.create({"email": "ada@example.com", "name": "Ada"}).id


def charge(shop: Shop, customer: str, card: str, *, key: str | None = None, **more: Any) -> stripe.PaymentIntent:
    params: dict[str, Any] = {
        "amount": 1900,
        "currency": "usd",
        "customer": customer,
        "payment_method": card,
        "off_session": True,
        "confirm": True,
        "metadata": {"payment_id": "pay_1"},
        **more,
    }
    return shop.client.v1.payment_intents.create(params, {"idempotency_key": key} if key else {})  # type: ignore[arg-type]


def refused(shop: Shop, customer: str, card: str, **more: Any) -> Any:
    """The error of a payment that must fail."""
    with pytest.raises(stripe.CardError) as caught:
        charge(shop, customer, card, **more)
    return caught.value


def test_card_is_saved_by_a_checkout_that_asks_for_it(shop: Shop, customer: str) -> None:
    session = shop.open_session(customer=customer, payment_intent_data={"setup_future_usage": "off_session"})

    shop.control.pay_session(session.id)

    saved = shop.client.v1.customers.payment_methods.list(customer).data
    assert [card.card.last4 for card in saved if card.card] == ["4242"]
    assert shop.client.v1.payment_methods.list({"customer": customer, "type": "card"}).data[0].id == saved[0].id
    read = shop.client.v1.customers.retrieve(customer)
    assert read.invoice_settings
    assert read.invoice_settings.default_payment_method is None
    assert "payment_method.attached" in shop.event_types()


def test_card_of_an_ordinary_checkout_is_not_saved(shop: Shop, customer: str) -> None:
    session = shop.open_session(customer=customer)

    shop.control.pay_session(session.id)

    assert shop.client.v1.customers.payment_methods.list(customer).data == []


def test_guest_who_saves_a_card_becomes_a_customer(shop: Shop) -> None:
    session = shop.open_session(payment_intent_data={"setup_future_usage": "off_session"})

    shop.control.pay_session(session.id, email="ada@example.com")

    paid = shop.read_session(session.id)
    assert isinstance(paid.customer, str)
    assert len(shop.client.v1.customers.payment_methods.list(paid.customer).data) == 1


def test_saved_card_pays_without_the_customer(shop: Shop, customer: str) -> None:
    card = shop.control.save_card(customer)
    before = len(shop.event_types())

    intent = charge(shop, customer, card["id"], description="Top-up", expand=["latest_charge.balance_transaction"])

    assert (intent.status, intent.amount_received, intent.metadata.to_dict()) == (
        "succeeded",
        1900,
        {"payment_id": "pay_1"},
    )
    assert shop.event_types(since=before) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert isinstance(intent.latest_charge.balance_transaction, stripe.BalanceTransaction)
    assert intent.latest_charge.balance_transaction.amount == 1900
    assert intent.latest_charge.description == "Top-up"
    now = int(time.time())
    lists = shop.client.v1.payment_intents.list
    assert [found.id for found in lists({"customer": customer, "created": {"gte": now - 60}}).data] == [intent.id]
    assert lists({"customer": customer, "created": {"gte": now + 60}}).data == []


@pytest.mark.parametrize(
    ("card", "decline_code"),
    [(DECLINED_LATER, "generic_decline"), ("4000000000009995", "insufficient_funds")],
)
def test_declined_card_is_a_402_that_names_the_intent(shop: Shop, customer: str, card: str, decline_code: str) -> None:
    saved = shop.control.save_card(customer, card=card)
    before = len(shop.event_types())

    error = refused(shop, customer, saved["id"])

    assert (error.http_status, error.code, error.error.decline_code) == (402, "card_declined", decline_code)
    assert error.error.payment_method.id == saved["id"]
    intent = shop.client.v1.payment_intents.retrieve(error.error.payment_intent.id)
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.latest_charge == error.error.charge
    assert shop.event_types(since=before) == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]


def test_card_that_declines_later_pays_the_checkout_that_saves_it(shop: Shop, customer: str) -> None:
    session = shop.open_session(customer=customer, payment_intent_data={"setup_future_usage": "off_session"})

    attempt = shop.control.pay_session(session.id, card=DECLINED_LATER)

    assert attempt.outcome == "paid"
    saved = shop.client.v1.customers.payment_methods.list(customer).data[0]
    assert refused(shop, customer, saved.id).code == "card_declined"


@pytest.mark.parametrize("card", [ASKS, ALWAYS_ASKS])
@pytest.mark.parametrize("succeed", [True, False])
def test_card_that_must_be_authenticated(shop: Shop, customer: str, card: str, succeed: bool) -> None:
    saved = shop.control.save_card(customer, card=card)

    error = refused(shop, customer, saved["id"])
    intent_id = error.error.payment_intent.id
    taking = shop.control.authenticate_intent(intent_id, succeed=succeed)

    assert (error.code, error.error.decline_code) == ("authentication_required", "authentication_required")
    assert error.error.payment_intent.status == "requires_payment_method"
    assert taking.outcome == ("paid" if succeed else "declined")
    intent = shop.client.v1.payment_intents.retrieve(intent_id)
    assert intent.status == ("succeeded" if succeed else "requires_payment_method")
    with pytest.raises(ApiError):
        shop.control.authenticate_intent(intent_id)


@pytest.mark.parametrize(("card", "is_excused"), [(ASKS, True), (ALWAYS_ASKS, False)])
def test_authentication_while_saving_excuses_one_card_from_it(
    shop: Shop, customer: str, card: str, is_excused: bool
) -> None:
    session = shop.open_session(customer=customer, payment_intent_data={"setup_future_usage": "off_session"})
    shop.control.pay_session(session.id, card=card)
    saved = shop.client.v1.customers.payment_methods.list(customer).data[0]

    if is_excused:
        assert charge(shop, customer, saved.id).status == "succeeded"
    else:
        assert refused(shop, customer, saved.id).code == "authentication_required"


def test_same_key_tries_once_whether_it_paid_or_not(shop: Shop, customer: str) -> None:
    pays, declines = shop.control.save_card(customer), shop.control.save_card(customer, card=DECLINED_LATER)

    paid = [charge(shop, customer, pays["id"], key="k1").id for _ in range(2)]
    failed = [refused(shop, customer, declines["id"], key="k2").error.payment_intent.id for _ in range(2)]

    assert paid[0] == paid[1]
    assert failed[0] == failed[1]
    assert len(shop.client.v1.charges.list().data) == 2


@pytest.mark.parametrize("fault", ["lost_response", "dropped_connection"])
def test_lost_answer_is_found_again_by_key_and_by_list(shop: Shop, customer: str, fault: Any) -> None:
    card = shop.control.save_card(customer)
    shop.control.add_fault(fault, method="POST", path="/v1/payment_intents")

    with pytest.raises((stripe.APIError, stripe.APIConnectionError)):
        charge(shop, customer, card["id"], key="k1")

    listed = shop.client.v1.payment_intents.list({"customer": customer}).data
    assert [found.id for found in listed] == [charge(shop, customer, card["id"], key="k1").id]


def test_card_can_be_taken_away(shop: Shop, customer: str) -> None:
    card = shop.control.save_card(customer, default=True)

    detached = shop.client.v1.payment_methods.detach(card["id"])

    assert detached.customer is None
    read = shop.client.v1.customers.retrieve(customer)
    assert read.invoice_settings
    assert read.invoice_settings.default_payment_method is None
    for act in (
        lambda: charge(shop, customer, card["id"]),
        lambda: shop.client.v1.payment_methods.attach(card["id"], {"customer": customer}),
        lambda: shop.client.v1.payment_methods.detach(card["id"]),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            act()


def test_test_cards_of_stripe_can_be_attached(shop: Shop, customer: str) -> None:
    card = shop.client.v1.payment_methods.attach("pm_card_visa", {"customer": customer})

    assert card.customer == customer
    assert charge(shop, customer, card.id).status == "succeeded"


def test_foreign_card_is_refused(shop: Shop, customer: str) -> None:
    other = shop.client.v1.customers.create().id
    card = shop.control.save_card(other)

    with pytest.raises(stripe.InvalidRequestError, match="does not belong"):
        charge(shop, customer, card["id"])
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        shop.client.v1.payment_methods.attach(card["id"], {"customer": customer})
    with pytest.raises(stripe.InvalidRequestError, match="does not belong"):
        shop.client.v1.customers.payment_methods.retrieve(customer, card["id"])
    assert shop.client.v1.payment_intents.list().data == []


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"amount": 49}, "amount"),
        ({"confirm": False}, "off_session"),
        ({"customer": "cus_none"}, "customer"),
        ({"payment_method": "pm_none"}, "payment_method"),
        ({"off_session": False}, "return_url"),
        ({"capture_method": "manual"}, "capture_method"),
    ],
)
def test_what_makes_no_sense_is_refused(shop: Shop, customer: str, changes: dict[str, Any], param: str) -> None:
    card = shop.control.save_card(customer)

    with pytest.raises(stripe.InvalidRequestError) as caught:
        charge(shop, changes.pop("customer", customer), card["id"], **changes)

    assert caught.value.param == param


def test_intent_is_confirmed_and_canceled_by_requests(shop: Shop, customer: str) -> None:
    card = shop.control.save_card(customer, card=ASKS)["id"]
    intents = shop.client.v1.payment_intents
    intent = intents.create({"amount": 500, "currency": "usd", "customer": customer})

    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        intents.confirm(intent.id)
    asked = intents.confirm(intent.id, {"payment_method": card, "return_url": "http://shop.test/"})
    canceled = intents.cancel(intent.id, {"cancellation_reason": "abandoned"})

    assert asked.status == "requires_action"
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert shop.event_types()[-2:] == ["payment_intent.requires_action", "payment_intent.canceled"]
    for act in (intents.cancel, intents.confirm):
        with pytest.raises(stripe.InvalidRequestError, match="status of canceled"):
            act(intent.id)


def test_bank_changes_its_mind_about_a_card(shop: Shop, customer: str) -> None:
    card = shop.control.save_card(customer)

    shop.control.change_card(card["id"], card=DECLINED_LATER)

    assert refused(shop, customer, card["id"]).code == "card_declined"
    assert "payment_method.automatically_updated" in shop.event_types()


@pytest.mark.parametrize(("action", "status"), [("authorize", 303), ("fail_authentication", 422)])
def test_page_for_a_customer_who_comes_back(shop: Shop, customer: str, action: str, status: int) -> None:
    saved = shop.control.save_card(customer, card=ALWAYS_ASKS)
    intent = refused(shop, customer, saved["id"]).error.payment_intent
    address = f"{shop.server.base_url}/c/confirm/{intent.id}?client_secret={intent.client_secret}"
    token = shop.control.sandbox.form_token

    shown = shop.browse(address)
    answer = shop.browse(address, {"token": token, "action": action, "return_url": "http://shop.test/back"})

    assert "$19.00" in shown.text
    assert answer.status == status
    assert shop.client.v1.payment_intents.retrieve(intent.id).status == (
        "succeeded" if action == "authorize" else "requires_payment_method"
    )
    assert "Authorize" not in shop.browse(address).text
    assert shop.browse(f"{shop.server.base_url}/c/confirm/{intent.id}?client_secret=wrong").status == 404
    assert shop.browse(address, {"token": "", "action": "authorize"}).status == 422


def test_card_buttons_change_what_a_card_does(shop: Shop, customer: str) -> None:
    saved = shop.control.save_card(customer)
    page = f"{shop.server.base_url}/sandbox/act/"
    fields = {"token": shop.control.sandbox.form_token, "target": saved["id"], "back": "/sandbox/"}

    assert "Let it be declined" in shop.browse(f"{shop.server.base_url}/sandbox/?kind=payment_method").html
    assert shop.browse(page, {**fields, "action": "card_declines"}).status == 303
    assert refused(shop, customer, saved["id"]).code == "card_declined"
    shop.browse(page, {**fields, "action": "card_asks"})
    intent_id = refused(shop, customer, saved["id"]).error.payment_intent.id
    assert shop.browse(page, {**fields, "target": intent_id, "action": "authenticate"}).status == 303
    assert shop.client.v1.payment_intents.retrieve(intent_id).status == "succeeded"
    shop.browse(page, {**fields, "action": "card_pays"})
    assert charge(shop, customer, saved["id"]).status == "succeeded"
    shop.browse(page, {**fields, "action": "card_detach"})
    assert shop.client.v1.customers.payment_methods.list(customer).data == []


def test_invoices_are_paid_by_a_card_of_the_customer(shop: Shop, customer: str) -> None:
    own, other = shop.control.save_card(customer), shop.control.save_card(shop.client.v1.customers.create().id)
    update = shop.client.v1.customers.update

    changed = update(customer, {"invoice_settings": {"default_payment_method": own["id"]}})

    assert changed.invoice_settings
    assert changed.invoice_settings.default_payment_method == own["id"]
    with pytest.raises(stripe.InvalidRequestError, match="must be attached"):
        update(customer, {"invoice_settings": {"default_payment_method": other["id"]}})


def test_card_says_whose_it_is(shop: Shop, customer: str) -> None:
    card = shop.control.save_card(customer)["id"]

    changed = shop.client.v1.payment_methods.update(
        card, {"billing_details": {"name": "Ada Lovelace"}, "metadata": {"known": "yes"}}
    )

    assert (changed.billing_details.name, changed.billing_details.email) == ("Ada Lovelace", "ada@example.com")
    assert changed.metadata
    assert changed.metadata.to_dict() == {"known": "yes"}
    assert shop.event_types()[-1] == "payment_method.updated"


def test_lists_of_cards_name_their_customer(shop: Shop, customer: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.client.v1.payment_methods.list({"type": "card"})

    assert caught.value.param == "customer"


def test_deleted_default_card_is_detached_by_the_lever(shop: Shop, customer: str) -> None:
    card = shop.control.save_card(customer, default=True)["id"]

    shop.control.detach_card(card)

    assert shop.event_types()[-2:] == ["payment_method.detached", "customer.updated"]
    told = shop.control.list_events("payment_method.detached")[0]["data"]
    assert (told["object"]["customer"], told["previous_attributes"]) == (None, {"customer": customer})
