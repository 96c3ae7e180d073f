"""Subscriptions from the first payment to the end, at the sandbox's clock: every balance was worked out by hand."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import transaction

from billing.credits import add_credits
from billing.gateway.client import StripeGateway
from billing.gateway.plan_parsing import parse_subscription
from billing.kinds import EntryKind
from billing.models import (
    BillingCustomer,
    Invoice,
    LedgerEntry,
    Notice,
    Payment,
    PlanPeriod,
    StripeEvent,
    Subscription,
    TrialGrant,
)
from billing.selectors.plan_figures import read_recurring_revenue
from billing.selectors.plans import current_plan, running_subscription
from billing.services.convergence import Convergence
from billing.services.expiry import expire_lapsed_credits
from billing.services.payment_reading import refresh_payment
from billing.services.plan_checkout import start_plan_checkout
from billing.services.subscriptions import store_subscription
from billing.tests.flows.subscribing import Subscriber, offer_plans
from billing.tests.plan_world import amounts, check_books
from billing.tests.shop import PAGES, WEBHOOK_SECRET, deliver, make_customer, make_pack, open_checkout, work_off_all
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db
NOVEMBER, DECEMBER, JANUARY, FEBRUARY, MARCH, APRIL, MAY = (
    datetime(2026 + (month > 12), (month - 1) % 12 + 1, 1, tzinfo=UTC) for month in range(11, 18)
)
Subscribe = Callable[[], Subscriber]


def test_a_life_of_a_subscription(subscriber: Subscriber) -> None:
    assert subscriber.customer.user is not None
    add_credits(subscriber.customer.user, 500, kind=EntryKind.ADJUSTMENT, idempotency_key="own", description="Own")

    subscriber.check_out("pro")
    assert subscriber.posted == 20_500
    subscriber.spend(4_500)  # the 500 first: they are free
    assert subscriber.posted == 16_000

    for month in (DECEMBER, JANUARY, FEBRUARY):  # what is left of the month before ends
        subscriber.move_to(month)
        assert subscriber.posted == 20_000

    subscriber.move_to(datetime(2027, 2, 15, tzinfo=UTC))  # half of 28 days: -950 and +2450 cents
    subscriber.change("pro_plus")
    assert subscriber.posted == 40_000

    subscriber.move_to(datetime(2027, 2, 22, tzinfo=UTC))  # a quarter: -1225 and +475, so 750 are credit at Stripe
    subscriber.change("pro")
    assert subscriber.posted == 30_000

    subscriber.move_to(datetime(2027, 2, 26, tzinfo=UTC))  # three days: -204 and +525, paid by that credit
    subscriber.change("pro_plus")
    assert subscriber.posted == Decimal("34281.203007")

    subscriber.control.cancel_subscription(subscriber.subscription, at_period_end=True)
    subscriber.hear()
    assert Subscription.objects.get().cancel_at == MARCH
    subscriber.control.resume_subscription(subscriber.subscription)
    subscriber.hear()
    assert Subscription.objects.get().cancel_at is None
    assert subscriber.posted == Decimal("34281.203007")

    subscriber.move_to(MARCH)  # 4900, of which 429 from the credit
    assert subscriber.posted == 60_000
    subscriber.change("pro", at_once=False)
    assert subscriber.posted == 60_000
    subscriber.move_to(APRIL)
    assert (subscriber.posted, Subscription.objects.get().plan.slug) == (20_000, "pro")  # type: ignore[union-attr]

    subscriber.control.cancel_subscription(subscriber.subscription, at_period_end=True)
    subscriber.move_to(MAY)
    assert Subscription.objects.get().status == "canceled"
    subscriber.move_to(MAY + timedelta(minutes=1))
    expire_lapsed_credits(now=MAY + timedelta(minutes=1))
    assert subscriber.posted == 0
    assert check_books()["cash_at_stripe"] == 4 * 1900 + 1500 + (4900 - 429) + 1900


def test_credits_bought_before_survive_all_of_it(subscriber: Subscriber) -> None:
    checkout = open_checkout(customer=subscriber.customer, pack=make_pack(), gateway=subscriber.gateway)
    subscriber.control.pay_session(checkout.session_id)
    subscriber.hear()
    subscriber.check_out("pro")
    subscriber.change("pro_plus")
    subscriber.change("pro")
    subscriber.move_to(DECEMBER)
    subscriber.control.cancel_subscription(subscriber.subscription)
    subscriber.move_to(JANUARY + timedelta(days=5))
    expire_lapsed_credits(now=JANUARY + timedelta(days=5))

    assert subscriber.posted == 10_500


def test_money_loop_of_a_downgrade(subscriber: Subscriber) -> None:
    """$49, all spent, down at once, two renewals from the credit: no more credits than the lines allow."""
    subscriber.check_out("pro_plus")
    subscriber.spend(60_000)
    subscriber.change("pro")
    assert subscriber.posted == -40_000

    subscriber.move_to(DECEMBER)
    assert subscriber.posted == -20_000
    assert Invoice.objects.order_by("-created_at")[0].from_balance_minor == 1900
    subscriber.move_to(JANUARY)
    assert subscriber.posted == 0
    last = Invoice.objects.order_by("-created_at")[0]
    assert (last.from_balance_minor, last.amount_paid_minor) == (1100, 800)

    plan_credits = sum(Decimal(one) for one in amounts(subscriber.customer, "plan_allowance", "plan_reversal"))
    assert plan_credits == sum(PlanPeriod.objects.values_list("target_credits", flat=True)) == 60_000
    assert check_books()["cash_at_stripe"] == 4900 + 800


def test_worked_example_at_the_sandbox(subscriber: Subscriber) -> None:
    subscriber.check_out("pro")
    steps = [(10, "pro_plus"), (20, "pro"), (25, "pro_plus")]
    for days, slug in steps:
        subscriber.move_to(NOVEMBER + timedelta(days=days))
        subscriber.change(slug)

    assert amounts(subscriber.customer) == [
        "20000.000000",
        "26667.239527",
        "-13332.760473",
        "6667.239528",
    ]
    assert subscriber.posted == Decimal("40001.718582")


def test_trial_grants_nothing_until_it_is_paid(
    gateway: StripeGateway, stripe_sandbox: SandboxServer, traveller: time_machine.Traveller, customer: BillingCustomer
) -> None:
    offer_plans(gateway, trial_days=14)
    subscriber = Subscriber(customer, gateway, stripe_sandbox.control, traveller)

    subscriber.check_out("pro")
    assert (subscriber.posted, Subscription.objects.get().status) == (0, "trialing")
    subscriber.move_to(NOVEMBER + timedelta(days=12))
    assert Notice.objects.filter(event="subscription.trial_ending").count() == 1
    subscriber.move_to(NOVEMBER + timedelta(days=14))

    assert (subscriber.posted, Subscription.objects.get().status) == (20_000, "active")
    assert check_books() == {"cash_at_stripe": 1900, "deferred_revenue": -1900}


def test_credits_of_a_trial_come_once_per_customer_and_card(
    gateway: StripeGateway, stripe_sandbox: SandboxServer, traveller: time_machine.Traveller, customer: BillingCustomer
) -> None:
    offer_plans(gateway, trial_days=14, trial_credits=300)
    first = Subscriber(customer, gateway, stripe_sandbox.control, traveller)
    second = Subscriber(make_customer(), gateway, stripe_sandbox.control, traveller)

    first.check_out("pro")
    second.check_out("pro")

    assert (first.posted, second.posted) == (300, 0)
    assert TrialGrant.objects.get().customer == customer


def test_a_code_for_everything_grants_nothing(subscriber: Subscriber) -> None:
    subscriber.check_out("pro", code="FREE100")

    assert Subscription.objects.get().status == "active"
    assert (subscriber.posted, amounts(subscriber.customer)) == (0, [])


def test_invoice_paid_from_the_balance_of_the_customer_grants(subscriber: Subscriber) -> None:
    subscriber.control.set_customer_balance(subscriber.at_stripe, -5000)
    subscriber.check_out("pro")

    assert subscriber.posted == 20_000
    assert check_books() == {"customer_balance_at_stripe": 1900, "deferred_revenue": -1900}


def test_paused_collection_grants_nothing_and_ends_nothing(subscriber: Subscriber) -> None:
    subscriber.check_out("pro")
    subscriber.spend(15_000)
    subscriber.control.pause_collection(subscriber.subscription, "void")
    subscriber.hear()
    subscriber.move_to(DECEMBER + timedelta(days=1))

    assert subscriber.posted == 5_000
    assert Subscription.objects.get().pause_behavior == "void"


def test_end_of_a_second_subscription_leaves_the_first_alone(subscriber: Subscriber) -> None:
    subscriber.check_out("pro_plus")
    second = subscriber.control.subscribe(subscriber.at_stripe, subscriber.price("pro"))
    subscriber.hear()
    assert subscriber.posted == 80_000

    subscriber.control.cancel_subscription(second["id"])
    subscriber.hear()

    assert subscriber.posted == 80_000  # paid for until the period's end
    running = Subscription.objects.get(ended_at__isnull=True)
    assert (running.subscription_id, running.plan.slug) == (subscriber.subscription, "pro_plus")  # type: ignore[union-attr]
    subscriber.move_to(DECEMBER)
    assert subscriber.posted == 60_000


def test_three_seats_have_three_allowances(subscriber: Subscriber) -> None:
    made = subscriber.control.subscribe(subscriber.at_stripe, subscriber.price("pro"), quantity=3)
    subscriber.hear()

    assert subscriber.posted == 60_000
    mirror = Subscription.objects.get(subscription_id=made["id"])
    assert (mirror.quantity, mirror.price_minor) == (3, 5700)


def test_no_seats_are_no_paid_plan(subscriber: Subscriber) -> None:
    """Stripe goes on with such a subscription as if it were a free plan."""
    subscriber.check_out("pro")
    found = subscriber.control.get_object(subscriber.subscription) or {}
    for item in found["items"]["data"]:
        item["quantity"] = 0

    with transaction.atomic():
        store_subscription(facts=parse_subscription(found), read_at=NOVEMBER + timedelta(minutes=1))

    mirror, now = Subscription.objects.get(), NOVEMBER + timedelta(minutes=1)
    assert (mirror.quantity, mirror.price_minor, mirror.status) == (0, 0, "active")
    current = current_plan(customer=subscriber.customer, now=now)
    assert (current.plan, current.subscription) == (None, None)
    assert running_subscription(customer=subscriber.customer) == mirror
    assert read_recurring_revenue(now=now).monthly == {}


def test_invoice_that_is_paid_at_the_third_try_grants_once(subscriber: Subscriber) -> None:
    subscriber.check_out("pro")
    subscriber.control.fail_next_payments(subscriber.at_stripe, 2)
    subscriber.move_to(DECEMBER)
    assert subscriber.posted == 20_000
    assert Subscription.objects.get().status == "past_due"
    failed = Notice.objects.filter(event="subscription.payment_failed")
    assert failed.count() == 1

    subscriber.move_to(DECEMBER + timedelta(days=1))
    assert failed.count() == 2

    subscriber.move_to(DECEMBER + timedelta(days=12))

    assert Subscription.objects.get().status == "active"
    assert LedgerEntry.objects.filter(kind="plan_allowance").count() == 2
    assert subscriber.posted == 20_000


def test_refund_of_a_renewal_takes_that_period(subscriber: Subscriber) -> None:
    subscriber.check_out("pro")
    subscriber.move_to(DECEMBER)
    subscriber.spend(5_000)
    renewal = Payment.objects.order_by("-paid_at")[0]

    subscriber.control.refund_payment(renewal.payment_intent_id or "")
    subscriber.hear()

    assert subscriber.posted == -5_000
    assert check_books()["cash_at_stripe"] == 1900


def test_refund_that_we_hear_of_before_the_payment_reads_the_invoice(subscriber: Subscriber) -> None:
    subscriber.control.subscribe(subscriber.at_stripe, subscriber.price("pro"))
    events = subscriber.control.take_events(secret=WEBHOOK_SECRET)
    (intent,) = [event for event in events if event.type == "payment_intent.succeeded"]
    intent_id = json.loads(intent.payload)["data"]["object"]["id"]
    subscriber.control.refund_payment(intent_id, amount=950)
    refunds = [event for event in subscriber.control.take_events(secret=WEBHOOK_SECRET) if "refund" in event.type]

    deliver(refunds[0])
    work_off_all(subscriber.gateway)
    assert subscriber.posted == 10_000

    for event in events:
        deliver(event)
    work_off_all(subscriber.gateway)
    assert subscriber.posted == 10_000
    assert not StripeEvent.objects.exclude(state="done").exists()


def test_payload_of_an_older_version_is_read_anew(subscriber: Subscriber) -> None:
    """Before 2025-03-31 an invoice named its subscription itself, and a subscription its period."""
    subscriber.control.subscribe(subscriber.at_stripe, subscriber.price("pro"))
    for event in subscriber.control.take_events(secret=WEBHOOK_SECRET):
        if event.type not in ("invoice.paid", "customer.subscription.created"):
            continue
        told = json.loads(event.payload)
        told["api_version"] = "2020-08-27"
        thing = told["data"]["object"]
        if thing["object"] == "invoice":
            thing["subscription"] = thing.pop("parent")["subscription_details"]["subscription"]
            for line in thing["lines"]["data"]:
                line["price"] = {"id": line.pop("pricing")["price_details"]["price"]}
                line.pop("parent")
        else:
            item = thing["items"]["data"][0]
            for name in ("current_period_start", "current_period_end"):
                thing[name] = item.pop(name)
        signed = subscriber.control.sign_event(told, secret=WEBHOOK_SECRET)
        assert deliver(replace(signed, id=event.id)) == 200
    work_off_all(subscriber.gateway)

    assert subscriber.posted == 20_000
    assert Subscription.objects.get().period_end == DECEMBER


def test_annual_plan_brings_its_year_at_once(
    gateway: StripeGateway, stripe_sandbox: SandboxServer, traveller: time_machine.Traveller, customer: BillingCustomer
) -> None:
    offer_plans(gateway, interval="year")
    subscriber = Subscriber(customer, gateway, stripe_sandbox.control, traveller)

    subscriber.check_out("pro")
    subscriber.move_to(JANUARY)

    assert subscriber.posted == 20_000
    assert Subscription.objects.get().period_end == datetime(2027, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(("code", "expected"), [("HALF50", 40_000), ("FREE100", 30_000)])
def test_discount_of_the_first_invoice_mints_nothing_at_an_upgrade(
    subscriber: Subscriber, code: str, expected: int
) -> None:
    """Half of the time is left: half of the credits go, half of the larger plan's come; what was free takes none."""
    subscriber.check_out("pro", code=code)
    subscriber.move_to(NOVEMBER + timedelta(days=15))

    subscriber.change("pro_plus")

    assert subscriber.posted == expected


def test_plan_that_no_webhook_told_of_is_found_by_a_check_of_its_payment(subscriber: Subscriber) -> None:
    started = start_plan_checkout(
        customer=subscriber.customer,
        slug="pro",
        form_key="unheard",
        ui_mode="embedded_page",
        network_hash="",
        pages=PAGES,
        gateway=subscriber.gateway,
    )
    subscriber.control.pay_session(started.session_id)

    outcome = refresh_payment(payment=Payment.objects.get(), gateway=subscriber.gateway)

    assert (outcome, subscriber.posted) == (Convergence.CONVERGED, 20_000)
    subscriber.hear()
    assert amounts(subscriber.customer) == ["20000.000000"]
