"""Credit notes of invoices: what they took off before the payment was never paid, what they gave back is taken back."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.db import transaction

from billing.credits import deduct_credits
from billing.gateway.plan_facts import CreditNoteFacts, PlanInvoiceFacts
from billing.gateway.plan_parsing import parse_credit_note
from billing.ledger.verification import verify_ledger
from billing.models import BillingCustomer, CreditNote, Invoice, Notice, Payment
from billing.notice_kinds import NoticeEvent
from billing.services.mail_texts.registry import words_of
from billing.tests.plan_world import (
    Month,
    amounts,
    check_books,
    invoice,
    line,
    posted,
    tell,
)

pytestmark = pytest.mark.django_db
MONTH = Month()
ISSUED_AT = MONTH.at(0, day=3)


@pytest.fixture(autouse=True)
def traveller() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MONTH.at(0, day=4), tick=False) as traveller:
        yield traveller


def note(
    of: PlanInvoiceFacts,
    *,
    number: int = 1,
    before_payment: int = 0,
    to_balance: int = 0,
    elsewhere: int = 0,
    refunded: int = 0,
    is_void: bool = False,
) -> CreditNoteFacts:
    return CreditNoteFacts(
        id=f"cn_{of.id}_{number}",
        invoice_id=of.id,
        customer_id=of.customer_id,
        number=f"{of.number}-CN-{number:02}",
        currency="usd",
        is_void=is_void,
        total_minor=before_payment + to_balance + elsewhere + refunded,
        before_payment_minor=before_payment,
        to_balance_minor=to_balance,
        elsewhere_minor=elsewhere,
        pdf_url="",
        issued_at=ISSUED_AT,
        voided_at=ISSUED_AT + timedelta(days=1) if is_void else None,
    )


def credited(of: PlanInvoiceFacts, *notes: CreditNoteFacts) -> PlanInvoiceFacts:
    """The invoice as it is read with these notes."""
    before = sum(one.before_payment_minor for one in notes if not one.is_void)
    return replace(of, credit_notes=notes, credited_before_minor=before)


def pro_invoice(customer: BillingCustomer, *, tax_minor: int = 0) -> PlanInvoiceFacts:
    return invoice(customer, [line(1900, "pro", span=MONTH.span(0), tax_minor=tax_minor)])


def test_what_a_note_took_off_before_the_payment_grants_nothing(subscriber: BillingCustomer) -> None:
    asked = pro_invoice(subscriber)

    tell(credited(asked, note(asked, before_payment=475)))

    assert posted(subscriber) == 15_000
    assert Payment.objects.get().paid_amount_minor == 1425
    assert check_books() == {"cash_at_stripe": 1425, "deferred_revenue": -1425}


def test_invoice_that_a_note_took_all_off_grants_nothing_and_is_no_payment(subscriber: BillingCustomer) -> None:
    asked = pro_invoice(subscriber)

    tell(replace(credited(asked, note(asked, before_payment=1900)), payment_intent_id=""))

    assert posted(subscriber) == 0
    assert not Payment.objects.exists()
    assert not Notice.objects.filter(event=NoticeEvent.PAYMENT_RECEIPT).exists()
    assert check_books() == {}


def test_tax_goes_with_what_a_note_took_off(subscriber: BillingCustomer) -> None:
    asked = pro_invoice(subscriber, tax_minor=380)

    tell(credited(asked, note(asked, before_payment=1140)))

    payment = Payment.objects.get()
    assert (payment.paid_amount_minor, payment.paid_tax_minor, payment.paid_subtotal_minor) == (1140, 190, 950)
    assert posted(subscriber) == 10_000
    assert check_books() == {"cash_at_stripe": 1140, "tax_payable": -190, "deferred_revenue": -950}


@pytest.mark.parametrize(("tax_minor", "credited_minor"), [(1, 4), (3, 5)])
def test_tax_of_half_a_cent_is_the_same_for_the_payment_and_the_books(
    subscriber: BillingCustomer, tax_minor: int, credited_minor: int
) -> None:
    asked = invoice(subscriber, [line(7, "pro", span=MONTH.span(0), tax_minor=tax_minor)])

    tell(credited(asked, note(asked, before_payment=credited_minor)))

    assert check_books().get("tax_payable", 0) == -(Payment.objects.get().paid_tax_minor or 0)


def test_money_put_into_the_balance_takes_its_credits_and_pays_for_the_next_period(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    paid = pro_invoice(subscriber)
    tell(paid)

    tell(credited(paid, note(paid, to_balance=950)))

    assert amounts(subscriber, "plan_allowance", "refund") == ["20000.000000", "-10000.000000"]
    assert check_books() == {
        "cash_at_stripe": 1900,
        "customer_balance_at_stripe": -950,
        "deferred_revenue": -950,
    }
    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))], from_balance_minor=950))
    assert amounts(subscriber, "plan_allowance")[-1] == "20000.000000"
    books = check_books()
    assert (books["cash_at_stripe"], books.get("customer_balance_at_stripe")) == (2850, None)


def test_money_given_back_outside_of_stripe_takes_its_credits(subscriber: BillingCustomer) -> None:
    paid = pro_invoice(subscriber)

    tell(paid, credited(paid, note(paid, elsewhere=1900)))

    assert posted(subscriber) == 0
    assert check_books() == {}


def test_what_a_note_refunded_is_left_to_the_refund(subscriber: BillingCustomer) -> None:
    paid = pro_invoice(subscriber)

    tell(paid, credited(paid, note(paid, refunded=1900)))

    assert posted(subscriber) == 20_000
    assert CreditNote.objects.get().credited_minor == 0


def test_spent_credits_of_money_that_went_back_are_a_debt(subscriber: BillingCustomer) -> None:
    paid = pro_invoice(subscriber)
    tell(paid)
    assert subscriber.user is not None
    deduct_credits(subscriber.user, 15_000, description="Work", idempotency_key="work")

    tell(credited(paid, note(paid, to_balance=1900)))

    assert posted(subscriber) == -15_000
    assert check_books()["customer_balance_at_stripe"] == -1900


def test_void_note_gives_its_credits_back(subscriber: BillingCustomer) -> None:
    paid = pro_invoice(subscriber)
    tell(paid, credited(paid, note(paid, to_balance=1900)))

    tell(credited(paid, note(paid, to_balance=1900, is_void=True)))
    tell(credited(paid, note(paid, to_balance=1900)))  # an older reading that comes late

    assert amounts(subscriber) == ["20000.000000", "-20000.000000", "20000.000000"]
    assert check_books() == {"cash_at_stripe": 1900, "deferred_revenue": -1900}


def test_every_order_of_readings_ends_in_the_same(subscriber: BillingCustomer) -> None:
    paid = pro_invoice(subscriber)
    asked = replace(paid, status="open", paid_at=None, credited_before_minor=475)
    before = note(paid, before_payment=475)
    readings = [
        asked,
        credited(paid, before),
        credited(paid, before, note(paid, number=2, to_balance=475)),
        credited(paid, before, note(paid, number=2, to_balance=475), note(paid, number=3, elsewhere=190)),
    ]

    for order in itertools.permutations(readings):
        with transaction.atomic():
            tell(*order, *order[::-1])
            assert posted(subscriber) == 8_000
            assert check_books() == {
                "cash_at_stripe": 1235,
                "customer_balance_at_stripe": -475,
                "deferred_revenue": -760,
            }
            transaction.set_rollback(True)


def test_note_on_an_invoice_of_two_periods_is_shared_by_their_money(subscriber: BillingCustomer) -> None:
    late = invoice(subscriber, [line(1900, "pro", span=MONTH.span(0)), line(4900, "pro_plus", span=MONTH.span(1))])
    tell(late)

    tell(credited(late, note(late, to_balance=3400)))

    # What the first period lacks had ended with the second, and counts as taken.
    assert amounts(subscriber, "refund") == ["-30000.000000"]
    assert posted(subscriber) == 30_000
    assert check_books()["customer_balance_at_stripe"] == -3400


def test_that_money_went_into_the_balance_is_told_once(subscriber: BillingCustomer) -> None:
    paid = pro_invoice(subscriber)
    noted = credited(paid, note(paid, to_balance=950))

    tell(paid, noted, noted)

    told = Notice.objects.get(event=NoticeEvent.PAYMENT_REFUNDED)
    words = words_of(told)
    assert words.subject == "Refund: $9.50"
    assert "pays for your next invoices" in words.paragraphs[0]
    assert ("Credit note", f"{paid.number}-CN-01") in words.facts


def test_mail_tells_the_ways_of_a_note_apart(subscriber: BillingCustomer) -> None:
    paid = pro_invoice(subscriber)

    tell(paid, credited(paid, note(paid, to_balance=600, elsewhere=350)))

    words = words_of(Notice.objects.get(event=NoticeEvent.PAYMENT_REFUNDED))
    assert "a part onto your account" in words.paragraphs[0]
    assert ("Of that onto your account", "$6.00") in words.facts


@pytest.mark.parametrize(
    ("refunds", "out_of_band", "ways"),
    [
        ([], None, (950, 0)),
        ([("refund", 400)], None, (550, 0)),
        ([("refund", 400)], 550, (0, 550)),
        ([("payment_record_refund", 950)], None, (0, 950)),
        ([("payment_record_refund", 950)], 950, (0, 950)),
    ],
)
def test_ways_of_a_note_add_up_to_what_it_gave_back(
    refunds: list[tuple[str, int]], out_of_band: int | None, ways: tuple[int, int]
) -> None:
    facts = parse_credit_note(
        {
            "id": "cn_1",
            "created": 1_790_000_000,
            "total": 1000,
            "pre_payment_amount": 50,
            "post_payment_amount": 950,
            "out_of_band_amount": out_of_band,
            "refunds": [{"type": kind, "amount_refunded": amount} for kind, amount in refunds],
        }
    )

    assert (facts.to_balance_minor, facts.elsewhere_minor) == ways


def test_credited_money_without_a_note_is_found(subscriber: BillingCustomer) -> None:
    tell(pro_invoice(subscriber))

    Payment.objects.update(credited_minor=1)

    assert {one.check for one in verify_ledger()} == {"given_back_is_what_its_parts_say"}


def test_invoice_says_what_it_was_credited(subscriber: BillingCustomer) -> None:
    paid = pro_invoice(subscriber)

    tell(credited(paid, note(paid, before_payment=475)))

    assert Invoice.objects.get().credited_before_minor == 475
