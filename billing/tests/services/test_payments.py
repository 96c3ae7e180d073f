"""Facts merge by union and the ledger follows them."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack, LedgerEntry, Payment
from billing.pricing import Collected
from billing.services.convergence import Convergence
from billing.services.payment_facts import PaymentFacts
from billing.services.payments import converge_payment
from billing.tests.shop import credited, open_checkout

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def payment(gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack) -> Payment:
    return open_checkout(customer=customer, pack=pack, gateway=gateway).payment


def converge(*facts: PaymentFacts) -> Convergence:
    with transaction.atomic():
        return converge_payment(facts=facts)


def facts_of(payment: Payment, *, amount_minor: int, subtotal_minor: int | None, currency: str = "usd") -> PaymentFacts:
    return PaymentFacts(
        livemode=False,
        told_at=NOON,
        payment_reference=payment.public_id,
        checkout_session_id=payment.checkout_session_id or "",
        collected=Collected(amount_minor=amount_minor, currency=currency, subtotal_minor=subtotal_minor),
        collected_at=NOON,
        tax_minor=0 if subtotal_minor is not None else None,
    )


def test_facts_about_no_payment_of_ours_are_unknown() -> None:
    facts = PaymentFacts(
        livemode=False, told_at=NOON, payment_reference="pay_unknown", checkout_session_id="cs_unknown"
    )

    assert converge(facts) is Convergence.UNKNOWN


def test_same_facts_again_post_nothing(payment: Payment) -> None:
    for _ in range(3):
        converge(facts_of(payment, amount_minor=1000, subtotal_minor=1000))

    entry = LedgerEntry.objects.get()
    assert (entry.amount, entry.idempotency_key) == (Decimal(10_500), f"payment:{payment.pk}:1")
    assert (entry.kind, entry.occurred_at, entry.payment_id) == ("purchase", NOON, payment.pk)


@pytest.mark.parametrize(("amount_minor", "subtotal_minor", "currency"), [(900, 900, "usd"), (1000, 1000, "eur")])
def test_wrong_amount_or_currency_grants_nothing_and_calls_staff(
    payment: Payment, amount_minor: int, subtotal_minor: int, currency: str
) -> None:
    converge(facts_of(payment, amount_minor=amount_minor, subtotal_minor=subtotal_minor, currency=currency))

    payment.refresh_from_db()
    payment.customer.refresh_from_db()
    assert credited(payment).entries == 0
    assert payment.state == "review"
    assert payment.mismatch.startswith("Paid ")
    assert payment.customer.flagged_at is not None


def test_mismatch_of_an_intent_alone_is_settled_by_its_session(payment: Payment) -> None:
    converge(facts_of(payment, amount_minor=500, subtotal_minor=None))
    assert Payment.objects.get().state == "review"

    converge(facts_of(payment, amount_minor=500, subtotal_minor=1000))

    payment.refresh_from_db()
    assert (payment.state, payment.mismatch, payment.paid_amount_minor) == ("paid", "", 500)
    assert credited(payment).credits == 10_500


def test_word_of_the_session_counts_whichever_comes_first(payment: Payment) -> None:
    of_session = facts_of(payment, amount_minor=500, subtotal_minor=1000)
    of_intent = facts_of(payment, amount_minor=500, subtotal_minor=None)
    outcomes = []

    for order in itertools.permutations([of_session, of_intent]):
        point = transaction.savepoint()
        for facts in order:
            converge(facts)
        outcome = Payment.objects.get(pk=payment.pk)
        outcomes.append((outcome.paid_subtotal_minor, outcome.paid_tax_minor, outcome.mismatch, credited(outcome)))
        transaction.savepoint_rollback(point)

    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == 1000


def test_nothing_takes_paid_back(payment: Payment) -> None:
    converge(facts_of(payment, amount_minor=1000, subtotal_minor=1000))
    plain = PaymentFacts(livemode=False, told_at=NOON, payment_reference=payment.public_id, stripe_customer_id="")
    plain = replace(plain, checkout_session_id=payment.checkout_session_id or "")

    converge(replace(plain, expired_at=NOON))
    converge(replace(plain, failed_at=NOON))
    converge(replace(plain, completed_at=NOON))

    payment.refresh_from_db()
    assert payment.state == "paid"
    assert credited(payment).credits == 10_500


def test_times_are_the_earliest_told(payment: Payment) -> None:
    facts = facts_of(payment, amount_minor=1000, subtotal_minor=1000)

    converge(replace(facts, collected_at=NOON + timedelta(minutes=1)))
    converge(facts)
    converge(replace(facts, collected_at=NOON + timedelta(minutes=2)))

    assert Payment.objects.get().paid_at == NOON


def test_late_word_of_a_pack_with_a_lifetime_grants_credits_that_lapse_when_they_should(payment: Payment) -> None:
    Payment.objects.update(lifetime_days=30)

    converge(facts_of(payment, amount_minor=1000, subtotal_minor=1000))

    assert LedgerEntry.objects.get(kind="purchase").grant.expires_at == NOON + timedelta(days=30)


def test_lifetime_beyond_the_calendar_keeps_nobody_from_what_was_paid(payment: Payment) -> None:
    Payment.objects.update(lifetime_days=9_999_999)

    converge(facts_of(payment, amount_minor=1000, subtotal_minor=1000))

    assert LedgerEntry.objects.get(kind="purchase").grant.expires_at is None
