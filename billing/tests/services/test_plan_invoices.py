"""Credits follow the paid lines of a subscription's invoices."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from billing.credits import add_credits, deduct_credits
from billing.gateway.facts import RefundFacts
from billing.gateway.plan_facts import PlanInvoiceFacts
from billing.kinds import EntryKind
from billing.ledger.shapes import Posting
from billing.models import (
    BillingCustomer,
    CreditGrant,
    Invoice,
    LedgerEntry,
    Notice,
    Payment,
    PlanPeriod,
    ReconciliationFinding,
    Subscription,
)
from billing.services.convergence import Convergence
from billing.services.expiry import expire_lapsed_credits
from billing.services.holds import place_hold, settle_hold
from billing.services.payment_facts import facts_of_refunds
from billing.services.payments import converge_payment
from billing.services.plan_invoices import converge_invoice
from billing.services.plan_lives import end_with_subscription
from billing.services.posting import post
from billing.tests.plan_world import (
    PRO,
    PRO_PLUS,
    Month,
    amounts,
    check_books,
    invoice,
    line,
    make_plan,
    make_subscriber,
    posted,
    tell,
)

pytestmark = pytest.mark.django_db
MONTH = Month()


@pytest.fixture
def subscriber(db: None) -> BillingCustomer:
    make_plan("pro", price=PRO, rank=1)
    make_plan("pro_plus", price=PRO_PLUS, rank=2)
    return make_subscriber()


@pytest.fixture
def traveller() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MONTH.at(0) + timedelta(hours=1), tick=False) as traveller:
        yield traveller


def spend(customer: BillingCustomer, amount: int, *, key: str = "work") -> None:
    assert customer.user is not None
    deduct_credits(customer.user, amount, description="Work", idempotency_key=key)


def refund(payment: Payment, amount_minor: int, *, status: str = "succeeded", number: int = 1) -> None:
    told = RefundFacts(
        id=f"re_{payment.pk}_{number}",
        amount_minor=amount_minor,
        currency="usd",
        status=status,
        reason="",
        charge_id="",
        payment_intent_id=payment.payment_intent_id or "",
        created_at=timezone.now(),
    )
    with transaction.atomic():
        facts = facts_of_refunds(refunds=[told], livemode=False, occurred_at=timezone.now())
        assert converge_payment(facts=[facts]) is Convergence.CONVERGED


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


def test_renewal_ends_what_is_left_of_the_period_before(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    spend(subscriber, 5_000)

    traveller.move_to(MONTH.at(1) + timedelta(minutes=5))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))]))

    assert posted(subscriber) == 20_000
    assert amounts(subscriber) == ["20000.000000", "-5000.000000", "20000.000000", "-15000.000000"]
    assert check_books() == {
        "cash_at_stripe": 3800,
        "deferred_revenue": -1900,
        "revenue": -475,
        "breakage": -1425,
    }


def test_late_invoice_of_an_earlier_period_does_not_bring_its_credits_back(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    first = invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))])
    second = invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))])
    traveller.move_to(MONTH.at(1) + timedelta(minutes=5))

    tell(second, first)

    assert posted(subscriber) == 20_000
    check_books()


@pytest.mark.parametrize(
    ("rule", "cap", "expected"), [("none", None, 20_000), ("capped", 6_000, 26_000), ("unlimited", None, 35_000)]
)
def test_allowances_roll_over_by_the_rule_of_the_plan(
    subscriber: BillingCustomer, traveller: time_machine.Traveller, rule: str, cap: int | None, expected: int
) -> None:
    make_plan("rolling", rank=3, rollover=rule, rollover_cap=cap)
    tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(0))]))
    spend(subscriber, 5_000)

    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(1))]))
    tell(invoice(subscriber, [line(0, "rolling", span=MONTH.span(1))]))

    assert posted(subscriber) == expected
    ends = set(CreditGrant.objects.filter(is_open=True).values_list("expires_at", flat=True))
    assert ends == {MONTH.at(2) + timedelta(days=3)}
    check_books()


def test_capped_rollover_keeps_the_newest_first(subscriber: BillingCustomer, traveller: time_machine.Traveller) -> None:
    make_plan("rolling", rank=3, rollover="capped", rollover_cap=25_000)
    for number in range(3):
        traveller.move_to(MONTH.at(number))
        tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(number))]))

    remaining = list(CreditGrant.objects.order_by("pk").values_list("remaining", flat=True))

    assert remaining == [5_000, 20_000, 20_000]
    assert posted(subscriber) == 45_000
    check_books()


def test_holds_keep_their_part_of_an_allowance_that_ends(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    hold = place_hold(customer_id=subscriber.pk, amount=4_000, key="api:work", lifetime=timedelta(days=40))

    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))]))
    assert posted(subscriber) == 24_000

    settle_hold(hold=hold.public_id, amount=1_000)

    assert posted(subscriber) == 20_000
    check_books()


def test_credits_last_some_days_longer_than_their_period_and_no_longer_after_the_end(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    grant = CreditGrant.objects.get()
    assert grant.expires_at == MONTH.at(1) + timedelta(days=3)

    Subscription.objects.create(
        customer=subscriber,
        subscription_id="sub_1",
        status="canceled",
        ended_at=MONTH.at(0, day=5),
        read_at=MONTH.at(0),
    )
    with transaction.atomic():
        end_with_subscription(customer_id=subscriber.pk, subscription_id="sub_1")
        end_with_subscription(customer_id=subscriber.pk, subscription_id="sub_1")

    grant.refresh_from_db()
    assert grant.expires_at == MONTH.at(1)
    assert posted(subscriber) == 20_000
    check_books()


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


def test_refund_of_a_renewal_takes_its_part_and_a_refund_that_fails_gives_it_back(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    payment = Payment.objects.get()
    spend(subscriber, 15_000)

    refund(payment, 950)
    assert posted(subscriber) == -5_000
    assert check_books() == {"cash_at_stripe": 950, "revenue": -1425, "refunds_of_consumed_credits": 475}
    refund(payment, 950, number=2)
    assert posted(subscriber) == -15_000
    refund(payment, 950, number=2, status="failed")
    assert posted(subscriber) == -5_000
    refund(payment, 950, status="failed")

    assert posted(subscriber) == 5_000
    assert amounts(subscriber, "plan_allowance", "refund", "refund_reversal") == [
        "20000.000000",
        "-10000.000000",
        "-10000.000000",
        "10000.000000",
        "10000.000000",
    ]
    assert check_books() == {"cash_at_stripe": 1900, "deferred_revenue": -475, "revenue": -1425}


@pytest.mark.parametrize("refunded_first", [True, False])
def test_what_expired_of_a_period_counts_as_taken(
    subscriber: BillingCustomer, traveller: time_machine.Traveller, refunded_first: bool
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    payment = Payment.objects.get()
    spend(subscriber, 5_000)
    if refunded_first:
        refund(payment, 950)

    traveller.move_to(MONTH.at(1, day=4))
    if not refunded_first:
        refund(payment, 950)
    spend_nothing = invoice(subscriber, [line(0, "pro", span=MONTH.span(1))])
    tell(spend_nothing)

    if refunded_first:
        expire_lapsed_credits(now=timezone.now())
    assert posted(subscriber) == 0
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


# Found by looking for faults


def test_money_that_comes_back_returns_credits_to_where_they_were_taken(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    """All spent, refunded out of credits of one's own, renewed, and then the refund fails after all."""
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    payment = Payment.objects.get()
    spend(subscriber, 20_000)
    assert subscriber.user is not None
    add_credits(subscriber.user, 30_000, kind=EntryKind.ADJUSTMENT, idempotency_key="own", description="Own")
    own = CreditGrant.objects.get(kind="adjustment")
    refund(payment, 1900)
    own.refresh_from_db()
    assert (own.remaining, posted(subscriber)) == (10_000, 10_000)

    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))]))
    refund(payment, 1900, status="failed")

    own.refresh_from_db()
    assert (own.remaining, posted(subscriber)) == (30_000, 50_000)
    check_books()


def test_credits_that_come_back_after_the_end_live_as_long_as_the_money_was_away(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    payment = Payment.objects.get()
    refund(payment, 1900)
    Subscription.objects.create(
        customer=subscriber, subscription_id="sub_1", status="canceled", ended_at=MONTH.at(0), read_at=MONTH.at(0)
    )
    with transaction.atomic():
        end_with_subscription(customer_id=subscriber.pk, subscription_id="sub_1")

    traveller.move_to(MONTH.at(1, day=10))
    refund(payment, 1900, status="failed")

    assert posted(subscriber) == 20_000
    check_books()


def test_debt_that_was_forgiven_stands_again_when_its_money_comes_back(
    subscriber: BillingCustomer, traveller: object
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    payment = Payment.objects.get()
    spend(subscriber, 20_000)
    refund(payment, 1900)
    post(
        posting=Posting(
            customer_id=subscriber.pk,
            kind=EntryKind.WRITE_OFF,
            amount=Decimal(20_000),
            key="staff:forgiven",
            description="Forgiven",
        )
    )
    assert posted(subscriber) == 0

    refund(payment, 1900, status="failed")

    assert posted(subscriber) == 0
    assert check_books() == {"cash_at_stripe": 1900, "revenue": -1900}


def test_change_that_is_not_paid_ends_nothing(subscriber: BillingCustomer, traveller: time_machine.Traveller) -> None:
    make_plan("rolling", rank=3, rollover="unlimited")
    for number in (0, 1):
        traveller.move_to(MONTH.at(number))
        tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(number))]))
    assert posted(subscriber) == 40_000
    change = [line(-950, "rolling", span=MONTH.span(1, day=15)), line(2450, "pro_plus", span=MONTH.span(1, day=15))]

    tell(replace(invoice(subscriber, change), status="open", paid_at=None, amount_paid_minor=0))

    assert posted(subscriber) == 40_000


def test_year_that_became_a_month_does_not_end_the_month(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    make_plan("yearly", price=(19_000, Decimal(240_000)), rank=1, interval="year")
    year = (MONTH.at(0), MONTH.at(0) + timedelta(days=365))
    tell(invoice(subscriber, [line(19_000, "yearly", span=year)]))
    traveller.move_to(MONTH.at(1))
    rest = (MONTH.at(1), year[1])

    tell(invoice(subscriber, [line(-17_438, "yearly", span=rest), line(4900, "pro_plus", span=MONTH.span(1))]))

    assert posted(subscriber) == 60_000
    traveller.move_to(MONTH.at(2))
    tell(invoice(subscriber, [line(4900, "pro_plus", span=MONTH.span(2))], from_balance_minor=4900))
    assert posted(subscriber) == 60_000
    check_books()


def test_old_allowance_that_a_correction_fills_is_not_ended_again(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    spend(subscriber, 20_000)
    used = LedgerEntry.objects.get(kind="usage")
    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))]))
    post(
        posting=Posting(
            customer_id=subscriber.pk,
            kind=EntryKind.USAGE_CORRECTION,
            amount=Decimal(5_000),
            key="correction:1",
            corrects_id=used.pk,
            description="Charged too much",
        )
    )

    tell(invoice(subscriber, [line(0, "pro", span=MONTH.span(1))]))

    assert posted(subscriber) == 25_000
    check_books()


def test_end_of_a_subscription_leaves_what_rolled_over_until_its_period_ends(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    make_plan("rolling", rank=3, rollover="unlimited")
    for number in (0, 1):
        traveller.move_to(MONTH.at(number))
        tell(invoice(subscriber, [line(1900, "rolling", span=MONTH.span(number))]))

    traveller.move_to(MONTH.at(1, day=10))
    with transaction.atomic():
        end_with_subscription(customer_id=subscriber.pk, subscription_id="sub_1")

    assert posted(subscriber) == 40_000
    assert set(CreditGrant.objects.values_list("expires_at", flat=True)) == {MONTH.at(2)}


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


def test_refund_of_an_invoice_of_two_periods_leaves_nothing_open(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(4900, "pro_plus", span=MONTH.span(0))]))
    changed, following = MONTH.span(0, day=20), MONTH.span(1)
    traveller.move_to(MONTH.at(1))
    both = [line(-1633, "pro_plus", span=changed), line(633, "pro", span=changed), line(1900, "pro", span=following)]
    tell(invoice(subscriber, both))

    refund(Payment.objects.order_by("-pk")[0], 900)

    traveller.move_to(MONTH.at(1, day=4))
    expire_lapsed_credits(now=timezone.now())
    balances = check_books()
    assert balances["cash_at_stripe"] == 4900
    assert balances.get("deferred_revenue", 0) == 0
