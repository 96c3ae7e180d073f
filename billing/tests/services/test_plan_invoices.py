"""Credits follow the paid lines of a subscription's invoices."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from billing.credits import add_credits
from billing.gateway.plan_facts import PlanInvoiceFacts
from billing.kinds import EntryKind
from billing.models import (
    BillingCustomer,
    Invoice,
    LedgerEntry,
    Notice,
    Payment,
    PlanPeriod,
    ReconciliationFinding,
)
from billing.services.convergence import Convergence
from billing.services.plan_invoices import converge_invoice
from billing.tests.plan_world import (
    Month,
    amounts,
    check_books,
    invoice,
    line,
    make_plan,
    posted,
    spend,
    tell,
)

pytestmark = pytest.mark.django_db
MONTH = Month()


def worked_example(customer: BillingCustomer) -> list[tuple[PlanInvoiceFacts, str]]:
    """Pro, up on day 10, down at once on day 20, up on day 25; and what each posts, worked out by hand."""
    first, tenth, twentieth, late = (MONTH.span(0, day=day) for day in (0, 10, 20, 25))
    return [
        (invoice(customer, [line(1900, "pro", span=first)], reason="subscription_create"), "20000.000000"),
        (invoice(customer, [line(-1267, "pro", span=tenth), line(3267, "pro_plus", span=tenth)]), "26667.239527"),
        (
            invoice(customer, [line(-1633, "pro_plus", span=twentieth), line(633, "pro", span=twentieth)]),
            "-13332.760473",
        ),
        (
            invoice(customer, [line(-317, "pro", span=late), line(817, "pro_plus", span=late)], from_balance_minor=500),
            "6667.239528",
        ),
    ]


def test_up_down_and_up_again_mints_nothing(subscriber: BillingCustomer, traveller: object) -> None:
    steps = worked_example(subscriber)

    for reading, expected in steps:
        tell(reading)
        assert amounts(subscriber)[-1] == expected

    assert posted(subscriber) == Decimal("40001.718582")
    assert check_books() == {
        "cash_at_stripe": 3900,
        "customer_balance_at_stripe": -500,
        "deferred_revenue": -3400,
    }


def test_every_order_of_the_invoices_of_a_period_ends_in_the_same(
    subscriber: BillingCustomer, traveller: object
) -> None:
    readings = [reading for reading, _ in worked_example(subscriber)]

    for order in itertools.permutations(readings):
        with transaction.atomic():
            tell(*order, *order[::-1])
            assert posted(subscriber) == Decimal("40001.718582")
            check_books()
            transaction.set_rollback(True)


def test_same_invoice_again_posts_nothing(subscriber: BillingCustomer, traveller: object) -> None:
    reading = invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))])

    tell(reading, reading, reading)

    assert amounts(subscriber) == ["20000.000000"]
    payment = Payment.objects.get()
    assert (payment.kind, payment.state, payment.paid_amount_minor) == ("plan", "paid", 1900)
    assert Invoice.objects.get().payment == payment
    receipt = Notice.objects.get(event="payment.receipt")
    assert (receipt.key, receipt.payload["amount_minor"]) == (payment.public_id, 1900)


@pytest.mark.parametrize("is_failure_first", [True, False])
def test_that_the_customer_must_act_is_told_in_either_order(
    subscriber: BillingCustomer, traveller: object, is_failure_first: bool
) -> None:
    reading = invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))], status="open")
    events = ["invoice.payment_failed", "invoice.payment_action_required"]

    for event_type in 2 * (events if is_failure_first else events[::-1]):
        with transaction.atomic():
            converge_invoice(facts=reading, read_at=timezone.now(), event_type=event_type)

    told = Notice.objects.filter(event="subscription.payment_failed").order_by("pk")
    assert [row["action_needed"] for row in told.values_list("payload", flat=True)] == [
        not is_failure_first,
        is_failure_first,
    ]


def test_downgrade_after_all_is_spent_leaves_a_debt_that_renewals_pay(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    """$49, 60,000 spent, down at once, renewed twice from the balance: what was paid for is what was granted."""
    tell(invoice(subscriber, [line(4900, "pro_plus", span=MONTH.span(0))]))
    spend(subscriber, 60_000)
    now = MONTH.span(0)
    tell(invoice(subscriber, [line(-4900, "pro_plus", span=now), line(1900, "pro", span=now)]))
    assert posted(subscriber) == -40_000
    assert check_books() == {
        "cash_at_stripe": 4900,
        "customer_balance_at_stripe": -3000,
        "revenue": -4900,
        "refunds_of_consumed_credits": 3000,
    }

    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))], from_balance_minor=1900))
    assert posted(subscriber) == -20_000
    traveller.move_to(MONTH.at(2))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(2))], from_balance_minor=1100))

    assert posted(subscriber) == 0
    allowed = sum(PlanPeriod.objects.values_list("target_credits", flat=True))
    plan_credits = sum(
        LedgerEntry.objects.filter(kind__in=["plan_allowance", "plan_reversal"]).values_list("amount", flat=True)
    )
    assert allowed == plan_credits == 60_000
    assert check_books() == {
        "cash_at_stripe": 5700,
        "revenue": -8700,
        "refunds_of_consumed_credits": 3000,
    }


def test_seats_multiply_the_allowance(subscriber: BillingCustomer, traveller: object) -> None:
    tell(invoice(subscriber, [line(5700, "pro", quantity=3, span=MONTH.span(0))]))

    assert posted(subscriber) == 60_000


def test_discount_leaves_the_allowance_whole_and_a_free_invoice_grants_nothing(
    subscriber: BillingCustomer, traveller: object
) -> None:
    half = invoice(subscriber, [line(1900, "pro", discount_minor=950, span=MONTH.span(0))])
    free = invoice(subscriber, [line(1900, "pro", discount_minor=1900, span=MONTH.span(1))])
    trial = invoice(subscriber, [line(0, "pro", span=MONTH.span(2))])

    tell(half, free, trial)

    assert amounts(subscriber) == ["20000.000000"]
    assert check_books() == {"cash_at_stripe": 950, "deferred_revenue": -950}


def test_invoice_that_the_balance_paid_is_a_real_payment(subscriber: BillingCustomer, traveller: object) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))], from_balance_minor=1900))

    assert posted(subscriber) == 20_000
    assert check_books() == {"customer_balance_at_stripe": 1900, "deferred_revenue": -1900}


def test_prorations_that_waited_belong_to_the_period_that_they_are_of(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    """An invoice of the next period that also has the lines of a change in the one before."""
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    changed, following = MONTH.span(0, day=15), MONTH.span(1)
    traveller.move_to(MONTH.at(1))

    tell(
        invoice(
            subscriber,
            [
                line(-950, "pro", span=changed),
                line(2450, "pro_plus", span=changed),
                line(4900, "pro_plus", span=following),
            ],
        )
    )

    targets = dict(PlanPeriod.objects.values_list("ends_at", "target_credits"))
    assert targets == {MONTH.at(1): 40_000, MONTH.at(2): 60_000}
    assert posted(subscriber) == 60_000
    assert check_books() == {"cash_at_stripe": 8300, "deferred_revenue": -4900, "breakage": -3400}


def test_tax_is_owed_and_not_earned(subscriber: BillingCustomer, traveller: object) -> None:
    tell(invoice(subscriber, [line(1900, "pro", tax_minor=361, span=MONTH.span(0))]))

    assert check_books() == {"cash_at_stripe": 2261, "tax_payable": -361, "deferred_revenue": -1900}


def test_open_and_void_invoices_grant_nothing_and_what_is_final_stays(
    subscriber: BillingCustomer, traveller: object
) -> None:
    paid = invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))])
    unpaid = replace(paid, status="open", paid_at=None, amount_paid_minor=0)
    void = replace(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))]), status="void", paid_at=None)

    tell(unpaid, void)
    assert amounts(subscriber) == []
    tell(paid, unpaid)

    assert amounts(subscriber) == ["20000.000000"]
    assert dict(Invoice.objects.values_list("invoice_id", "status")) == {paid.id: "paid", void.id: "void"}
    check_books()


def test_price_of_no_plan_grants_nothing_and_is_found_until_it_is_known(
    subscriber: BillingCustomer, traveller: object
) -> None:
    reading = invoice(subscriber, [line(900, "agreed", span=MONTH.span(0))])

    tell(reading)

    assert amounts(subscriber) == []
    finding = ReconciliationFinding.objects.get()
    assert (finding.kind, finding.severity, finding.state) == ("plan_price_unknown", "high", "open")
    assert check_books() == {"cash_at_stripe": 900, "deferred_revenue": -900}

    make_plan("agreed", price=(900, Decimal(9_000)), rank=9)
    tell(reading)

    assert amounts(subscriber) == ["9000.000000"]
    finding.refresh_from_db()
    assert finding.state == "repaired"
    check_books()


def test_two_subscriptions_do_not_touch_each_other(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(
        invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]),
        invoice(subscriber, [line(4900, "pro_plus", subscription="sub_2", span=MONTH.span(0))]),
    )
    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))]))

    assert posted(subscriber) == 20_000 + 60_000
    check_books()


def test_invoices_of_strangers_wait_and_those_of_the_other_mode_are_refused(subscriber: BillingCustomer) -> None:
    reading = invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))])

    with transaction.atomic():
        stranger = converge_invoice(facts=replace(reading, customer_id="cus_unknown"), read_at=datetime.now(UTC))
        live = converge_invoice(facts=replace(reading, livemode=True), read_at=datetime.now(UTC))

    assert (stranger, live) == (Convergence.UNKNOWN, Convergence.CONTRADICTED)
    assert not Invoice.objects.exists()


def test_bought_credits_survive_every_change_of_plan(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    assert subscriber.user is not None
    add_credits(subscriber.user, 777, kind=EntryKind.ADJUSTMENT, idempotency_key="bought", description="Bought")
    for number, (reading, _) in enumerate(worked_example(subscriber)):
        traveller.move_to(MONTH.at(0, day=number))
        tell(reading)
    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))]))

    assert posted(subscriber) == 20_777
    check_books()


def test_price_in_another_currency_buys_nothing_by_itself(subscriber: BillingCustomer, traveller: object) -> None:
    tell(replace(invoice(subscriber, [line(2900, "pro", span=MONTH.span(0))]), currency="jpy"))

    assert amounts(subscriber) == []
    assert ReconciliationFinding.objects.get().kind == "plan_price_unknown"


def test_fee_on_an_invoice_is_money_and_no_finding(subscriber: BillingCustomer, traveller: object) -> None:
    fee = replace(line(500, "pro", span=MONTH.span(0)), subscription_id="", price_id="price_fee")
    reading = invoice(subscriber, [line(1900, "pro", span=MONTH.span(0)), fee])

    tell(reading)

    assert posted(subscriber) == 20_000
    assert not ReconciliationFinding.objects.exists()
    assert check_books() == {"cash_at_stripe": 2400, "deferred_revenue": -2400}


def test_free_invoice_that_settles_an_old_debt_grants_nothing(subscriber: BillingCustomer, traveller: object) -> None:
    free = [line(1900, "pro", discount_minor=1900, span=MONTH.span(0))]

    tell(invoice(subscriber, free, from_balance_minor=-500))

    assert amounts(subscriber) == []
