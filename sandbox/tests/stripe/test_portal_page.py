"""The portal page: what customers see and do there."""

from typing import Any

import pytest
import stripe

from sandbox.tests.stripe.portal_shop import PortalShop
from sandbox.tests.stripe.shop import Shop


@pytest.fixture
def portal(shop: Shop) -> PortalShop:
    return PortalShop(shop)


def test_home_shows_plan_card_details_and_invoices(portal: PortalShop) -> None:
    subscription = portal.subscribe()

    page = portal.look(portal.open())

    assert page.status == 200
    for text in ("Pro", "$19.00 / month", "Visa ending in 4242", "ada@example.com", "renews then", "paid", "PDF"):
        assert text in page.text
    invoice = portal.client.v1.invoices.list({"subscription": subscription}).data[0]
    assert f'href="{invoice.hosted_invoice_url}"' in page.html
    assert f'href="{invoice.invoice_pdf}"' in page.html
    assert 'href="http://shop.test/plans"' in page.html
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_customer_without_a_plan_sees_so(portal: PortalShop) -> None:
    page = portal.look(portal.open())

    for text in ("You have no plan.", "No card is saved.", "There are no invoices yet."):
        assert text in page.text


def test_dearer_plan_starts_and_is_paid_at_once(portal: PortalShop) -> None:
    subscription, address = portal.subscribe(), portal.open()
    chosen = portal.look(address, view="plans", subscription=subscription)

    preview = portal.look(address, view="confirm", subscription=subscription, price=portal.prices["plus"])
    done = portal.press(preview, address, "Confirm and pay $30.00")

    assert "Pro Plus" in chosen.text
    assert "your plan" in chosen.text
    assert "Due now" in preview.text
    assert "Your plan was changed." in portal.follow(done).text
    assert portal.plan_of(subscription) == "plus"
    latest = portal.client.v1.invoices.list({"subscription": subscription}).data[0]
    assert (latest.billing_reason, latest.status, latest.amount_paid) == ("subscription_update", "paid", 3000)


def test_cheaper_plan_waits_and_can_be_taken_back(portal: PortalShop) -> None:
    subscription, address = portal.subscribe("plus"), portal.open()

    preview = portal.look(address, view="confirm", subscription=subscription, price=portal.prices["pro"])
    home = portal.follow(portal.press(preview, address, "Confirm"))
    kept = portal.follow(portal.press(home, address, "Keep the current plan"))

    assert "Nothing is due now." in preview.text
    assert "it becomes Pro, $19.00 / month" in home.text
    assert "it becomes" not in kept.text
    portal.control.advance_clock(renewals=1)
    assert portal.plan_of(subscription) == "plus"


def test_cheaper_plan_comes_with_the_next_period(portal: PortalShop) -> None:
    subscription, address = portal.subscribe("plus"), portal.open()
    preview = portal.look(address, view="confirm", subscription=subscription, price=portal.prices["pro"])
    portal.press(preview, address, "Confirm")
    assert portal.plan_of(subscription) == "plus"

    portal.control.advance_clock(renewals=1)

    assert portal.plan_of(subscription) == "pro"
    assert portal.client.v1.invoices.list({"subscription": subscription}).data[0].amount_paid == 1900


def test_shorter_interval_waits_too(portal: PortalShop) -> None:
    subscription, address = portal.subscribe("year"), portal.open()

    preview = portal.look(address, view="confirm", subscription=subscription, price=portal.prices["plus"])

    assert "Nothing is due now." in preview.text


@pytest.mark.parametrize("conditions", [[], [{"type": "shortening_interval"}]])
def test_cheaper_plan_starts_at_once_where_the_configuration_says_so(
    portal: PortalShop, conditions: list[dict[str, str]]
) -> None:
    portal.configure(subscription_update={"schedule_at_period_end": {"conditions": conditions}})
    subscription, address = portal.subscribe("plus"), portal.open()

    preview = portal.look(address, view="confirm", subscription=subscription, price=portal.prices["pro"])
    portal.press(preview, address, "Confirm")

    assert "Your plan changes now." in preview.text
    assert portal.plan_of(subscription) == "pro"


def test_plan_is_cancelled_at_the_end_and_goes_on_after_all(portal: PortalShop) -> None:
    subscription, address = portal.subscribe(), portal.open()

    asked = portal.look(address, view="cancel", subscription=subscription)
    home = portal.follow(portal.press(asked, address, "Cancel plan"))
    cancelled = portal.read(subscription)
    resumed = portal.follow(portal.press(home, address, "Do not cancel"))

    assert "You keep it until" in asked.text
    assert "Cancelled: it ends on" in home.text
    assert "Change plan" not in home.text
    assert (cancelled.status, cancelled.cancel_at is not None) == ("active", True)
    assert "Your plan goes on." in resumed.text
    assert portal.read(subscription).cancel_at is None


def test_cancelled_plan_ends_with_its_period(portal: PortalShop) -> None:
    subscription, address = portal.subscribe(), portal.open()
    portal.press(portal.look(address, view="cancel", subscription=subscription), address, "Cancel plan")

    portal.control.advance_clock(renewals=1)

    assert portal.read(subscription).status == "canceled"


def test_plan_is_cancelled_at_once_where_the_configuration_says_so(portal: PortalShop) -> None:
    portal.configure(subscription_cancel={"mode": "immediately"})
    subscription, address = portal.subscribe(), portal.open()

    portal.press(portal.look(address, view="cancel", subscription=subscription), address, "Cancel plan")

    assert portal.read(subscription).status == "canceled"
    assert "You have no plan." in portal.look(address).text


def test_new_card_pays_from_now_on(portal: PortalShop) -> None:
    subscription, address = portal.subscribe(), portal.open()
    typed = {"number": "4000 0000 0000 0259", "expiry": "12 / 34", "cvc": "123"}

    wrong = portal.press(portal.look(address, view="card"), address, "Save card", **{**typed, "cvc": "1"})
    refused = portal.press(
        portal.look(address, view="card"), address, "Save card", **{**typed, "number": "4000000000000002"}
    )
    home = portal.follow(portal.press(portal.look(address, view="card"), address, "Save card", **typed))

    assert "3 or 4 digits" in wrong.text
    assert (refused.status, "Your card was declined." in refused.text) == (422, True)
    assert "Visa ending in 0259" in home.text
    portal.control.advance_clock(renewals=1)
    assert portal.read(subscription).status == "active"
    charges = portal.client.v1.charges.list().data
    assert [charge.disputed for charge in charges] == [True, False]


def test_open_invoice_is_paid_with_a_new_card(portal: PortalShop) -> None:
    subscription = portal.subscribe()
    card = portal.client.v1.customers.payment_methods.list(portal.customer).data[0].id
    portal.control.change_card(card, card="4000000000000341")
    portal.control.advance_clock(renewals=1)
    address = portal.open()

    home = portal.look(address)
    declined = portal.follow(portal.press(home, address, "Pay"))
    typed = {"number": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123"}
    portal.press(portal.look(address, view="card"), address, "Save card", **typed)
    paid = portal.follow(portal.press(portal.look(address), address, "Pay"))

    assert "A payment failed." in home.text
    assert "Your card was declined." in declined.text
    assert "The invoice was paid." in paid.text
    assert portal.read(subscription).status == "active"


def test_upgrade_that_the_bank_asks_about_leads_to_its_question(portal: PortalShop) -> None:
    subscription = portal.subscribe()
    card = portal.client.v1.customers.payment_methods.list(portal.customer).data[0].id
    portal.control.change_card(card, card="4000002760003184")
    address = portal.open()
    preview = portal.look(address, view="confirm", subscription=subscription, price=portal.prices["plus"])

    question = portal.follow(portal.press(preview, address, "Confirm and pay $30.00"))

    assert "3-D Secure" in question.text
    invoice = portal.client.v1.invoices.list({"subscription": subscription}).data[0]
    assert invoice.status == "open"
    assert "Confirm" in portal.look(address, view="home").text
    payment = portal.client.v1.invoice_payments.list({"invoice": invoice.id}).data[0].payment
    portal.control.authenticate_intent(str(payment.payment_intent))
    assert portal.client.v1.invoices.retrieve(invoice.id).status == "paid"
    assert portal.read(subscription).status == "active"


def test_upgrade_that_is_declined_says_so(portal: PortalShop) -> None:
    subscription = portal.subscribe()
    card = portal.client.v1.customers.payment_methods.list(portal.customer).data[0].id
    portal.control.change_card(card, card="4000000000000341")
    address = portal.open()
    preview = portal.look(address, view="confirm", subscription=subscription, price=portal.prices["plus"])

    home = portal.follow(portal.press(preview, address, "Confirm and pay $30.00"))

    assert "your card was declined" in home.text
    assert portal.read(subscription).status == "past_due"


def test_details_and_tax_numbers_are_changed(portal: PortalShop) -> None:
    address = portal.open()
    typed = {"name": "Ada GmbH", "email": "b@example.com", "line1": "Ring 1", "city": "Wien", "country": "AT"}

    form = portal.look(address, view="details")
    wrong = portal.press(form, address, "Save", **typed, tax_id="nonsense")
    unchanged = portal.client.v1.customers.retrieve(portal.customer).name
    home = portal.follow(portal.press(form, address, "Save", **typed, tax_id="ATU 12345678"))
    removed = portal.press(portal.look(address, view="details"), address, "Remove")

    assert (wrong.status, "This is no tax number of your country." in wrong.text) == (422, True)
    assert unchanged == "Ada"
    for text in ("Ada GmbH", "b@example.com", "Wien", "Austria", "ATU12345678"):
        assert text in home.text
    assert "ATU12345678" not in portal.follow(removed).text


def test_trial_ends_with_a_change_of_plan(portal: PortalShop) -> None:
    subscription, address = portal.subscribe(trial_days=14), portal.open()

    assert "Trial until" in portal.look(address).text
    preview = portal.look(address, view="confirm", subscription=subscription, price=portal.prices["plus"])
    portal.press(preview, address, "Confirm and pay $49.00")

    assert portal.read(subscription).status == "active"
    assert portal.client.v1.invoices.list({"subscription": subscription}).data[0].amount_paid == 4900


@pytest.mark.parametrize("kind", ["payment_method_update", "subscription_cancel", "subscription_update_confirm"])
def test_flow_begins_with_one_thing_and_leads_back(portal: PortalShop, kind: str) -> None:
    subscription = portal.subscribe()
    item = portal.read(subscription)["items"].data[0].id
    wanted: dict[str, Any] = {} if kind == "payment_method_update" else {"subscription": subscription}
    if kind == "subscription_update_confirm":
        wanted["items"] = [{"id": item, "price": portal.prices["plus"], "quantity": 1}]
    address = portal.open(flow_data=portal.flow(kind, **wanted))
    labels = {
        "payment_method_update": "Save card",
        "subscription_cancel": "Cancel plan",
        "subscription_update_confirm": "Confirm and pay $30.00",
    }
    typed = {"number": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123"}

    page = portal.look(address)
    answer = portal.press(page, address, labels[kind], **(typed if not wanted else {}))

    assert "Your billing</a>" not in page.html
    assert (answer.status, answer.headers["Location"]) == (303, "http://shop.test/done")
    assert "Current plan" in portal.look(address).text


def test_flow_that_makes_no_sense_is_refused(portal: PortalShop) -> None:
    subscription = portal.subscribe()
    item = portal.read(subscription)["items"].data[0].id
    own = {"id": item, "price": portal.prices["pro"], "quantity": 1}
    foreign = {"id": item, "price": portal.shop.price.id, "quantity": 1}
    portal.control.subscribe(portal.client.v1.customers.create().id, portal.prices["pro"])

    for flow in (
        portal.flow("subscription_update_confirm", subscription=subscription, items=[own]),
        portal.flow("subscription_update_confirm", subscription=subscription, items=[foreign]),
        portal.flow("subscription_update_confirm", subscription=subscription, items=[{**own, "id": "si_none"}]),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            portal.open(flow_data=flow)
    portal.client.v1.subscriptions.update(subscription, {"cancel_at_period_end": True})
    with pytest.raises(stripe.InvalidRequestError, match="already set to be canceled"):
        portal.open(flow_data=portal.flow("subscription_cancel", subscription=subscription))


def test_confirmation_on_stripe_s_own_page(portal: PortalShop) -> None:
    subscription = portal.subscribe()
    flow = portal.flow("subscription_cancel", subscription=subscription)
    flow["after_completion"] = {"type": "hosted_confirmation", "hosted_confirmation": {"custom_message": "Bye"}}
    address = portal.open(flow_data=flow)

    done = portal.follow(portal.press(portal.look(address), address, "Cancel plan"))

    assert "Your plan was cancelled." in done.text


def test_nobody_touches_what_is_not_theirs(portal: PortalShop) -> None:
    other = portal.client.v1.customers.create().id
    foreign = portal.control.subscribe(other, portal.prices["pro"])
    invoice = foreign["latest_invoice"]
    address, token = portal.open(), portal.control.sandbox.form_token

    for fields in (
        {"action": "cancel", "subscription": foreign["id"]},
        {"action": "change_plan", "subscription": foreign["id"], "price": portal.prices["plus"]},
        {"action": "pay", "invoice": invoice},
        {"action": "nonsense"},
    ):
        answer = portal.shop.browse(address, {"token": token, **fields})
        assert answer.status == 422
        assert 'role="alert"' in answer.html
    assert portal.shop.browse(address, {"token": "", "action": "cancel"}).status == 422
    assert "There is no such plan." in portal.look(address, view="cancel", subscription=foreign["id"]).text
    assert portal.read(foreign["id"]).status == "active"
    assert portal.shop.browse(address[:-1] + "-").status == 404


def test_features_that_are_off_are_neither_shown_nor_done(portal: PortalShop) -> None:
    off = {"enabled": False}
    portal.configure(payment_method_update=off, customer_update=off, subscription_cancel=off, subscription_update=off)
    subscription, address = portal.subscribe(), portal.open()
    token = portal.control.sandbox.form_token

    page = portal.look(address)

    for label in ("Change plan", "Cancel plan", "Change card", "Change details"):
        assert label not in page.text
    for view in ("plans", "confirm", "cancel", "card", "details"):
        query = {"view": view, "subscription": subscription, "price": portal.prices["plus"]}
        assert portal.look(address, **query).status == 422
    for action in ("cancel", "change_plan", "change_card", "change_details", "drop_tax_id"):
        fields = {"token": token, "action": action, "subscription": subscription, "price": portal.prices["plus"]}
        assert portal.shop.browse(address, fields).status == 422


def test_session_ends_after_an_hour(portal: PortalShop) -> None:
    address = portal.open()

    portal.control.advance_clock(seconds=3700)

    page = portal.look(address)
    assert page.status == 410
    assert 'href="http://shop.test/plans"' in page.html
