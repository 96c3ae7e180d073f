"""Money that went back, in plain words: refunds, disputes, why spending is on hold, why credits moved."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from billing.kinds import EntryKind
from billing.models import BillingCustomer, CreditNote, Invoice, Payment, PaymentDispute, PaymentRefund
from billing.selectors.debts import DebtCause, DebtPart
from billing.services.flags import raise_flag
from billing.templatetags.billing_words import explain_debt, explain_entry
from billing.tests.views.rows import add_entry, make_payment
from billing.tests.views.test_invoices import make_invoice

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(customer: BillingCustomer) -> Payment:
    """$10.00 paid for 10,000 credits."""
    return make_payment(customer, paid_at=timezone.now(), paid_amount_minor=1000, paid_currency="usd")


def add_refund(payment: Payment, amount_minor: int, *, status: str = "succeeded", days_ago: int = 0) -> PaymentRefund:
    at, is_dead = timezone.now() - timedelta(days=days_ago), status in ("failed", "canceled")
    refund = PaymentRefund.objects.create(
        refund_id=f"re_{PaymentRefund.objects.count()}",
        payment=payment,
        amount_minor=amount_minor,
        currency="usd",
        status=status,
        is_dead=is_dead,
        refunded_at=at,
        dead_at=at if is_dead else None,
    )
    if not is_dead:
        Payment.objects.filter(pk=payment.pk).update(refunded_minor=amount_minor, given_back_minor=amount_minor)
    return refund


def add_dispute(payment: Payment, status: str, *, withdrawn_minor: int = 0, days_ago: int = 0) -> PaymentDispute:
    now = timezone.now()
    is_closed = status in ("won", "lost", "warning_closed", "prevented")
    Payment.objects.filter(pk=payment.pk).update(withdrawn_minor=withdrawn_minor, given_back_minor=withdrawn_minor)
    return PaymentDispute.objects.create(
        dispute_id=f"dp_{PaymentDispute.objects.count()}",
        payment=payment,
        amount_minor=1000,
        currency="usd",
        status=status,
        status_read_at=now,
        opened_at=now - timedelta(days=days_ago),
        closed_at=now if is_closed else None,
    )


def add_credit_note(payment: Payment, *, days_ago: int = 0, **amounts: int) -> CreditNote:
    at, credited_minor = timezone.now() - timedelta(days=days_ago), sum(amounts.values())
    invoice = Invoice.objects.filter(payment=payment).first() or make_invoice(payment.customer, "A-1", payment=payment)
    Payment.objects.filter(pk=payment.pk).update(credited_minor=credited_minor, given_back_minor=credited_minor)
    return CreditNote.objects.create(
        invoice=invoice,
        credit_note_id=f"cn_{CreditNote.objects.count()}",
        number="A-1-CN-01",
        currency="usd",
        total_minor=credited_minor,
        issued_at=at,
        **amounts,
    )


def page(browser: Client, path: str = "/billing/payments/") -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize(
    ("amount_minor", "badge", "is_paid_told"), [(1000, "Refunded", False), (300, "Partly refunded", True)]
)
def test_refunded_payment_says_so_beside_its_state(
    browser: Client, payment: Payment, *, amount_minor: int, badge: str, is_paid_told: bool
) -> None:
    add_refund(payment, amount_minor)

    shown = page(browser)

    assert f">{badge}</span>" in shown
    assert (">Paid</span>" in shown) is is_paid_told


@pytest.mark.parametrize(
    ("amounts", "badge", "words"),
    [
        ({"to_balance_minor": 1000}, "Refunded", "$10.00 went onto your account on"),
        ({"elsewhere_minor": 300}, "Partly refunded", "$3.00 went back to you on"),
        ({"to_balance_minor": 300, "elsewhere_minor": 200}, "Partly refunded", "$2.00 went back to you on"),
    ],
)
def test_credit_note_that_gave_money_back_says_so(
    browser: Client, payment: Payment, amounts: dict[str, int], badge: str, words: str
) -> None:
    add_credit_note(payment, **amounts)

    for shown in (page(browser), page(browser, "/billing/")):
        assert f">{badge}</span>" in shown
        assert words in shown
        assert "credit note A-1-CN-01" in shown


def test_old_credit_note_is_no_news(browser: Client, payment: Payment) -> None:
    add_credit_note(payment, to_balance_minor=1000, days_ago=40)

    assert "A-1-CN-01" in page(browser)
    assert "A-1-CN-01" not in page(browser, "/billing/")


def test_debt_names_what_a_credit_note_gave_back(payment: Payment) -> None:
    add_credit_note(payment, to_balance_minor=1000)
    payment.refresh_from_db()
    part = DebtPart(cause=DebtCause.REFUND, credits=Decimal(500), payment=payment)

    assert "because $10.00 of your payment" in explain_debt([part])[0]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("succeeded", "$3.00 was refunded on"),
        ("pending", "your bank takes some days"),
        ("requires_action", "waits for you"),
        ("failed", "did not go through"),
        ("canceled", "did not go through"),
    ],
)
def test_each_refund_says_how_far_it_is(browser: Client, payment: Payment, status: str, words: str) -> None:
    add_refund(payment, 300, status=status)

    assert words in page(browser)
    assert words in page(browser, "/billing/")


def test_failed_refund_leaves_the_payment_paid(browser: Client, payment: Payment) -> None:
    add_refund(payment, 1000, status="failed")

    shown = page(browser)

    assert ">Paid</span>" in shown
    assert ">Refunded</span>" not in shown


@pytest.mark.parametrize(
    ("status", "words", "is_badged"),
    [
        ("warning_needs_response", "No money has moved", False),
        ("warning_closed", "The question is settled", False),
        ("needs_response", "It decides", True),
        ("appeal_under_review", "It decides", True),
        ("a_status_of_tomorrow", "It decides", True),
        ("won", "left the payment as it was", False),
        ("prevented", "left the payment as it was", False),
        ("lost", "returned it to the card holder", False),
    ],
)
def test_disputes_are_told_without_blame(
    browser: Client, payment: Payment, *, status: str, words: str, is_badged: bool
) -> None:
    add_dispute(payment, status)

    shown = page(browser)

    assert words in shown
    assert (">Disputed</span>" in shown) is is_badged


def test_open_dispute_says_who_has_the_money(browser: Client, payment: Payment) -> None:
    add_dispute(payment, "needs_response", withdrawn_minor=1000)

    assert "keeps it until it decides" in page(browser)


def test_lost_dispute_stays_beside_the_state(browser: Client, payment: Payment) -> None:
    add_dispute(payment, "lost", withdrawn_minor=1000)

    assert ">Disputed</span>" in page(browser)


def test_overview_shows_news_only(browser: Client, payment: Payment) -> None:
    add_refund(payment, 300, days_ago=31)
    assert "Money that went back" not in page(browser, "/billing/")

    add_refund(payment, 200, days_ago=1)
    assert "Money that went back" in page(browser, "/billing/")


def test_overview_shows_an_old_dispute_until_it_is_closed(browser: Client, payment: Payment) -> None:
    dispute = add_dispute(payment, "under_review", days_ago=60)
    assert "Money that went back" in page(browser, "/billing/")

    PaymentDispute.objects.filter(pk=dispute.pk).update(status="won", closed_at=timezone.now())
    assert "Money that went back" not in page(browser, "/billing/")


class TestHold:
    @pytest.mark.parametrize(
        ("cause", "words"),
        [
            ("dispute:dp_0", "A bank is looking into your payment of $10.00 on"),
            ("dispute:dp_unknown", "A bank is looking into a payment of yours"),
            ("fraud_warning:issfr_1", "take a second look"),
            ("books", "checking that your balance adds up"),
            ("staff", "Our staff are looking at your account."),
        ],
    )
    def test_reason_is_told(
        self, browser: Client, customer: BillingCustomer, payment: Payment, cause: str, words: str
    ) -> None:
        add_dispute(payment, "needs_response")
        raise_flag(customer_id=customer.pk, cause=cause, reason="An internal note.", freezes=True)

        shown = page(browser, "/billing/")

        assert "Spending is on hold." in shown
        assert words in shown
        assert "An internal note." not in shown

    def test_flag_that_freezes_nothing_is_not_told(self, browser: Client, customer: BillingCustomer) -> None:
        raise_flag(customer_id=customer.pk, cause="payment:pay_1", reason="An internal note.", freezes=False)

        assert "on hold" not in page(browser, "/billing/")


@pytest.mark.parametrize(
    ("kind", "amount", "words"),
    [
        (EntryKind.REFUND, "-5", "went back to you"),
        (EntryKind.DISPUTE, "-5", "The bank took money of your payment of $10.00"),
        (EntryKind.ADJUSTMENT, "5", "Given by our staff."),
        (EntryKind.PROMOTION, "5", ""),
    ],
)
def test_entries_explain_themselves(
    customer: BillingCustomer, payment: Payment, kind: EntryKind, amount: str, words: str
) -> None:
    needs_payment = kind in (EntryKind.REFUND, EntryKind.DISPUTE)
    entry = add_entry(customer, amount, kind=kind, payment_id=payment.pk if needs_payment else None)

    assert words in explain_entry(entry)
    assert bool(explain_entry(entry)) is bool(words)


@pytest.mark.parametrize(
    ("kind", "amount", "words"),
    [
        (EntryKind.REFUND_REVERSAL, "5", "did not go through"),
        (EntryKind.DISPUTE_REVERSAL, "5", "The bank returned the money"),
        (EntryKind.WRITE_OFF, "5", "You need not repay it"),
        (EntryKind.WRITE_OFF, "-5", "it counts again"),
        (EntryKind.ADJUSTMENT, "-5", "Taken by our staff."),
    ],
)
def test_entries_that_undo_explain_themselves(
    customer: BillingCustomer, payment: Payment, kind: EntryKind, amount: str, words: str
) -> None:
    entry = add_entry(customer, "5")
    entry.kind, entry.amount, entry.payment = kind.value, Decimal(amount), payment

    assert words in explain_entry(entry)


def test_debt_of_many_causes_is_told_by_the_largest(browser: Client, customer: BillingCustomer) -> None:
    for number in range(1, 6):
        paid = make_payment(
            customer, paid_at=timezone.now(), paid_amount_minor=number * 100, paid_currency="usd", refunded_minor=100
        )
        add_entry(customer, str(-10 * number), kind=EntryKind.REFUND, payment_id=paid.pk)
    add_entry(customer, "-7", kind=EntryKind.DISPUTE, payment_id=paid.pk)

    shown = page(browser, "/billing/")

    assert "You owe 157 credits" in shown
    assert "50 credits, because $1.00 of your payment of $5.00" in shown
    assert "37 more credits, for other reasons." in shown
