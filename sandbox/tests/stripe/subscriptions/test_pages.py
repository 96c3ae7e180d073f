"""The pages: checkout of a plan, the invoice that somebody pays, the buttons and the clock."""

import re

import pytest

from sandbox.tests.stripe.shop import Page, Shop
from sandbox.tests.stripe.subscriptions.plans import Plans


def press(shop: Shop, label: str, object_id: str, **typed: str) -> Page:
    """Press the button with this label on the page of an object."""
    return press_on(shop, f"{shop.server.base_url}/sandbox/objects/{object_id}/", label, target=object_id, **typed)


def press_on(shop: Shop, address: str, label: str, **typed: str) -> Page:
    html = shop.browse(address).html
    token, action = re.search(r'name="token" value="([^"]+)"', html), re.search(rf'value="(\w+)"[^>]*>{label}<', html)
    assert token, f"There is no form on {address}."
    assert action, f"There is no {label} on {address}."
    fields = {"token": token[1], "action": action[1], "back": "/sandbox/", **typed}
    return shop.browse(f"{shop.server.base_url}/sandbox/act/", fields)


def labels(shop: Shop, object_id: str) -> list[str]:
    html = shop.browse(f"{shop.server.base_url}/sandbox/objects/{object_id}/").html
    return re.findall(r'<button type="submit" name="action"[^>]*>([^<]+)<', html)


def test_checkout_of_a_plan_says_what_it_costs_and_when(plans: Plans) -> None:
    page = plans.shop.browse(plans.open_session(quantity=2).url or "")

    for text in ("$38.00 every 30 days, until you cancel.", "Due today", "Subscribe", "Card number"):
        assert text in page.text
    assert "Bank debit" not in page.text


def test_checkout_of_a_trial_asks_for_a_card_and_takes_nothing(plans: Plans) -> None:
    session = plans.open_session(
        price=plans.new_price("Monthly", 1900, interval="month", count=1), subscription_data={"trial_period_days": 7}
    )
    page = plans.shop.browse(session.url or "")

    for text in ("Free until ", "then $19.00 a month", "Due today", "$0.00", "Start the trial", "Card number"):
        assert text in page.text
    assert plans.shop.pay_on_page(session, number="").status == 422
    assert plans.shop.pay_on_page(session).status == 303
    assert plans.shop.read_session(session.id).payment_status == "no_payment_required"


def test_code_and_credit_are_shown_before_paying(plans: Plans) -> None:
    plans.control.set_customer_balance(plans.customer, -500)
    session = plans.open_session(allow_promotion_codes=True)

    page = plans.shop.pay_on_page(session, action="apply_code", code="HALF50")

    for text in ("Discount", "−$9.50", "Your balance", "−$5.00", "$4.50"):
        assert text in page.text
    assert plans.shop.pay_on_page(session).status == 303
    assert plans.client.v1.charges.list().data[0].amount == 450


@pytest.mark.parametrize("succeed", [True, False])
def test_three_d_secure_of_a_plan(plans: Plans, succeed: bool) -> None:
    session = plans.open_session()

    asked = plans.shop.pay_on_page(session, number="4000 0025 0000 3155")
    ended = plans.shop.pay_on_page(session, action="authorize" if succeed else "fail_authentication")

    assert "Your bank asks whether it is you who subscribes" in asked.text
    assert ended.status == (303 if succeed else 422)
    assert len(plans.client.v1.subscriptions.list().data) == succeed


def pay_invoice(plans: Plans, address: str, **typed: str) -> Page:
    found = re.search(r'name="token" value="([^"]+)"', plans.shop.browse(address).html)
    assert found
    fields = {"number": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123", "action": "pay"}
    return plans.shop.browse(address, {"token": found[1], **fields, **typed})


def test_open_invoice_is_paid_on_its_page(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.fail_next_payments(plans.customer)
    plans.control.advance_clock(days=30)
    address = plans.invoices(subscription.id)[0].hosted_invoice_url or ""

    assert "Pay $19.00" in plans.shop.browse(address).text
    assert "Enter your card number." in pay_invoice(plans, address, number="").text
    assert "insufficient funds" in pay_invoice(plans, address, number="4000 0000 0000 9995").text
    assert "too old" in pay_invoice(plans, address, token="wrong").text
    assert pay_invoice(plans, address).status == 303

    assert "Paid" in plans.shop.browse(address).text
    assert "Card number" not in plans.shop.browse(address).text
    assert plans.read(subscription.id).status == "active"


def test_invoice_that_asks_is_authorized_on_its_page(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.set_customer_card(plans.customer, "4000002760003184")
    plans.control.advance_clock(days=30)
    address = plans.invoices(subscription.id)[0].hosted_invoice_url or ""

    assert "Authorize the payment" in plans.shop.browse(address).text
    assert "unable to authenticate" in pay_invoice(plans, address, action="fail_authentication").text
    assert pay_invoice(plans, address, number="4000 0027 6000 3184").status == 303
    assert pay_invoice(plans, address, action="authorize").status == 303
    assert plans.invoices(subscription.id)[0].status == "paid"


def test_page_of_an_invoice_shows_all_that_is_billed(plans: Plans) -> None:
    plans.control.set_customer_balance(plans.customer, -400)
    coupon = plans.client.v1.coupons.create({"percent_off": 50, "duration": "once"})
    subscription = plans.subscribe(coupon=coupon.id)

    page = plans.shop.browse(plans.invoices(subscription.id)[0].hosted_invoice_url or "")

    for text in ("1 × Pro (at $19.00 / every 30 days)", "$19.00", "−$9.50", "−$4.00", "$5.50", "Paid"):
        assert text in page.text
    assert plans.shop.browse(f"{plans.shop.server.base_url}/invoices/in_none/secret").status == 404


def test_plan_is_changed_paused_and_canceled_by_buttons(plans: Plans) -> None:
    subscription = plans.subscribe()

    def said() -> str:
        return plans.shop.browse(f"{plans.shop.server.base_url}/sandbox/?kind=subscription").text

    assert "1 × Pro, $19.00 every 30 days, period ends on" in said()
    press(plans.shop, "Change now", subscription.id, price=plans.plus)
    assert plans.read(subscription.id)["items"].data[0].price.id == plans.plus
    press(plans.shop, "Change at period end", subscription.id, price=plans.pro)
    assert plans.read(subscription.id).schedule
    assert ", changes then" in said()
    press(plans.shop, "Take the change back", subscription.id)
    assert plans.read(subscription.id).schedule is None
    assert "Take the change back" not in labels(plans.shop, subscription.id)
    press(plans.shop, "Pause collection", subscription.id)
    assert plans.read(subscription.id).pause_collection
    assert "collection is paused" in said()
    press(plans.shop, "Resume", subscription.id)
    assert plans.read(subscription.id).pause_collection is None
    press(plans.shop, "Cancel at period end", subscription.id)
    assert ", ends on" in said()
    assert "Cancel at period end" not in labels(plans.shop, subscription.id)
    press(plans.shop, "Cancel now", subscription.id)
    assert plans.read(subscription.id).status == "canceled"
    assert labels(plans.shop, subscription.id) == []


def test_invoices_are_worked_off_by_buttons(plans: Plans) -> None:
    subscription = plans.subscribe(price=plans.new_price("Daily", 300, count=1))
    objects = f"{plans.shop.server.base_url}/sandbox/"

    def fail_next() -> str:
        press(plans.shop, "Fail the next payment", subscription.id)
        press_on(plans.shop, objects, "To the end of that period")
        return plans.invoices(subscription.id)[0].id or ""

    plans.control.set_dunning(retry_days=[])
    plans.control.set_dunning(retry_days=[20], then="past_due")
    endings = ["Pay", "Try the saved card", "Void", "Give it up"]
    for label in endings:
        press(plans.shop, label, fail_next())

    statuses = [invoice.status for invoice in plans.invoices(subscription.id)]
    assert statuses == ["uncollectible", "void", "paid", "paid", "paid"]
    paid = plans.invoices(subscription.id)[-1].id or ""
    press(plans.shop, "Refund", paid)
    assert [refund.amount for refund in plans.client.v1.refunds.list().data] == [300]


def test_draft_that_was_kept_is_finalized_by_a_button(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.pause_collection(subscription.id, "keep_as_draft")
    plans.control.advance_clock(days=30)
    draft = plans.invoices(subscription.id)[0].id or ""

    press(plans.shop, "Finalize", draft)

    assert plans.invoices(subscription.id)[0].status == "paid"


def test_clock_is_moved_on_the_page(plans: Plans) -> None:
    objects = f"{plans.shop.server.base_url}/sandbox/?kind=subscription"
    assert "To the end of that period" not in plans.shop.browse(objects).text
    subscription = plans.subscribe()

    for label in ("A day later", "A week later"):
        press_on(plans.shop, objects, label)

    assert "8 days ahead" in plans.shop.browse(objects).text
    press_on(plans.shop, objects, "To the end of that period")
    assert len(plans.invoices(subscription.id)) == 2


def test_change_without_another_price_is_refused(plans: Plans) -> None:
    subscription = plans.subscribe()

    assert press(plans.shop, "Change now", subscription.id).status == 409
