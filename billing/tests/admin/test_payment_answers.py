"""What support answers to "I paid, where are my credits?": on the payment's page, the customer's and an event's."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.admin.payment_answers import tell_attempts, tell_credits
from billing.kinds import EntryKind
from billing.models import BillingCustomer, Payment, StripeEvent
from billing.tests.admin.conftest import World, make_event
from billing.tests.plan_subscriptions import subscribe
from billing.tests.plan_world import make_plan
from billing.tests.views.rows import add_entry, make_payment

pytestmark = pytest.mark.django_db
DECLINED = {"ch_1": {"code": "card_declined", "message": "Your card was declined.", "at": "2026-11-20T12:30:00+00:00"}}


def page_of(client: Client, model: str, row: Any) -> str:
    return client.get(f"/admin/billing/{model}/{row.pk}/change/").content.decode()


def paid(customer: BillingCustomer, **facts: Any) -> Payment:
    received = {"paid_at": timezone.now(), "paid_amount_minor": 1000, "paid_currency": "usd"}
    return make_payment(customer, **{**received, **facts})


def credited(customer: BillingCustomer, *amounts: str) -> Payment:
    """A paid payment whose credits have moved so."""
    payment = paid(customer, posting_count=len(amounts))
    kinds = [EntryKind.PURCHASE, EntryKind.REFUND, EntryKind.REFUND_REVERSAL]
    for kind, amount in zip(kinds, amounts, strict=False):
        cost = {"cost_minor": 1000, "currency": "usd"} if kind == EntryKind.PURCHASE else {}
        add_entry(customer, amount, kind=kind, payment_id=payment.pk, **cost)
    return payment


@pytest.mark.parametrize(
    ("facts", "answer"),
    [
        ({}, "None: Stripe has told of no payment."),
        ({"failed_attempts": DECLINED}, "checked with Stripe. Your card was declined."),
        ({"completed_at": timezone.now()}, "None yet: the bank has not paid"),
        ({"failed_at": timezone.now(), "failed_attempts": DECLINED}, "nothing was charged. Your card was declined."),
        ({"refused_at": timezone.now(), "refusal": "No such price."}, "nothing was charged. No such price."),
        ({"expired_at": timezone.now()}, "None: the checkout was not finished"),
        ({"mismatch": "Paid for $9.00, offered for $10.00."}, "Grant what was offered, or refund it."),
    ],
)
def test_who_has_no_credits_is_told_why(world: World, facts: dict[str, Any], answer: str) -> None:
    assert answer in tell_credits(make_payment(world.other, **facts))


def test_what_is_paid_and_not_added_is_looked_into(world: World) -> None:
    assert tell_credits(paid(world.other)).startswith("None yet: Stripe has told of the payment")


def test_an_event_that_waits_in_the_inbox_is_known(world: World) -> None:
    payment = make_payment(world.other)
    make_event("evt_waiting", state="pending", related_ids=[payment.checkout_session_id or ""])

    assert tell_credits(payment).startswith("None yet: Stripe has told of the payment")


def test_added_credits_have_their_time(world: World) -> None:
    assert tell_credits(credited(world.other, "10000")).startswith("10,000 were added on ")


def test_credits_that_repaid_a_debt_are_named(world: World) -> None:
    add_entry(world.other, "-105", kind=EntryKind.REFUND)

    told = tell_credits(credited(world.other, "10000"))

    assert "100 of them repaid a debt." in told


def test_what_was_taken_back_and_given_again_is_named(world: World) -> None:
    told = tell_credits(credited(world.other, "10000", "-4000.5", "1000"))

    assert "4,000.5 were taken back, because money went back." in told
    assert told.endswith("1,000 were added again.")


def test_attempts_are_told_in_words() -> None:
    assert tell_attempts(Payment(failed_attempts=DECLINED)) == (
        "20 Nov 2026, 12:30: Your card was declined. (card_declined, ch_1)"
    )


def test_the_answer_stands_on_the_payments_page(admin: Client, world: World) -> None:
    payment = make_payment(world.customer, expired_at=timezone.now())

    page = page_of(admin, "payment", payment)

    assert "What became of its credits" in page
    assert "None: the checkout was not finished" in page


def test_a_customers_page_says_what_each_payment_brought(admin: Client, world: World) -> None:
    credited(world.other, "10000", "-4000")

    assert "+6,000" in page_of(admin, "billingcustomer", world.other)


def test_an_event_leads_to_the_customer_and_the_payment(admin: Client, world: World) -> None:
    page = page_of(admin, "stripeevent", world.event)

    assert f'href="/admin/billing/billingcustomer/{world.customer.pk}/change/"' in page
    assert f'href="/admin/billing/payment/{world.payment.pk}/change/"' in page


def test_an_event_of_somebody_elses_leads_nowhere(admin: Client, world: World) -> None:
    strange: StripeEvent = make_event("evt_strange", related_ids=["cs_test_nobody"])

    page = page_of(admin, "stripeevent", strange)

    assert f'href="/admin/billing/billingcustomer/{world.customer.pk}/change/"' not in page


def test_names_of_rows_keep_their_small_letters(admin: Client, world: World) -> None:
    assert "Ada@example.com" not in page_of(admin, "billingcustomer", world.customer)
    assert f"Pay_{world.payment.public_id.removeprefix('pay_')}" not in page_of(admin, "payment", world.payment)


def test_a_subscription_begins_with_whose_it_is(admin: Client, world: World) -> None:
    page = page_of(admin, "subscription", subscribe(world.customer, make_plan("pro"), price_minor=1900))

    assert "Customer of" not in page
    assert page.index("Customer</") < page.index("Period end") < page.index("Items")
    assert "Price minor" not in page
