"""Steps that read what was paid: payment intents, checkout sessions, charges, invoices."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from billing.gateway.listed import ChargeFacts
from billing.models import Payment
from billing.services.reconciliation.collecting import Reading
from billing.services.reconciliation.compare_money_back import (
    compare_dispute,
    compare_fraud_warning,
    compare_refund,
)
from billing.services.reconciliation.compare_payments import (
    compare_charge,
    compare_intent,
    compare_invoice,
    compare_session,
)
from billing.services.reconciliation.compare_plans import InvoicesOfPage, compare_plan_invoice, plan_intent
from billing.services.reconciliation.local_rows import Names, PaymentsOfPage
from billing.services.reconciliation.seen import payments_seen, remember_seen, times_seen
from billing.services.reconciliation.shapes import Difference

T = TypeVar("T")


def read_payment_intents(reading: Reading) -> None:
    """Payment intents. They come before sessions: they know when the money of one was taken."""
    for page in pages(
        reading, lambda named: reading.gateway.page_payment_intents(window=reading.scope.window, **named)
    ):
        names = [Names(reference=one.payment_reference, payment_intent_id=one.id) for one in page]
        payments = PaymentsOfPage(names)
        found = [payments.find(each) for each in names]
        remember_seen(
            (one.id, payment.pk if payment else None, one.charged_at) for one, payment in zip(page, found, strict=True)
        )
        plans = payments_seen([plan_intent(one.id) for one in page])
        reading.collect(
            difference
            for one, payment in zip(page, found, strict=True)
            if payment is not None or plan_intent(one.id) not in plans  # its invoice is compared
            for difference in compare_intent(
                intent=one, payment=payment, occurred_at=one.created_at or reading.scope.since
            )
        )
        reading.counts.add_object("payment_intents", len(page))
        reading.progress(step="payment_intents", at=page[-1].created_at)


def read_sessions(reading: Reading) -> None:
    """Checkout sessions of purchases; those of subscriptions and of saved cards grant nothing by themselves."""
    for page in pages(reading, lambda named: reading.gateway.page_sessions(window=reading.scope.window, **named)):
        names = [
            Names(reference=one.payment_reference, session_id=one.id, payment_intent_id=one.payment_intent_id)
            for one in page
        ]
        payments = PaymentsOfPage(names)
        found = [payments.find(each) for each in names]
        remember_seen(
            row
            for one, payment in zip(page, found, strict=True)
            for row in (
                (one.id, payment.pk if payment else None, None),
                (one.payment_intent_id, payment.pk if payment else None, None),
            )
        )
        paid_at = times_seen([one.payment_intent_id for one in page])
        reading.collect(
            difference
            for one, payment in zip(page, found, strict=True)
            if one.mode == "payment"
            for difference in compare_session(
                session=one,
                payment=payment,
                occurred_at=one.created_at or reading.scope.since,
                paid_at=paid_at.get(one.payment_intent_id),
            )
        )
        reading.counts.add_object("checkout_sessions", len(page))
        reading.progress(step="checkout_sessions", at=page[-1].created_at)


def read_charges(reading: Reading) -> None:
    """Charges. For one customer their refunds, disputes and warnings are read with them: no list of Stripe's filters
    those by customer.
    """
    of_one_customer = reading.scope.customer is not None
    for page in pages(reading, lambda named: reading.gateway.page_charges(window=reading.scope.window, **named)):
        names = [
            Names(reference=one.payment_reference, payment_intent_id=one.payment_intent_id, charge_id=one.id)
            for one in page
        ]
        payments = PaymentsOfPage(names, with_money_back=of_one_customer)
        found = [payments.find(each) for each in names]
        remember_seen(
            (one.id, payment.pk if payment else None, one.created_at) for one, payment in zip(page, found, strict=True)
        )
        plans = payments_seen([plan_intent(one.payment_intent_id) for one in page])
        pairs = [
            (one, payment)
            for one, payment in zip(page, found, strict=True)
            if payment is not None or plan_intent(one.payment_intent_id) not in plans
        ]
        reading.collect(
            difference for one, payment in pairs for difference in compare_charge(charge=one, payment=payment)
        )
        for one, payment in pairs:
            if of_one_customer and payment is not None and one.is_paid:
                reading.collect(_compare_money_back(reading, charge=one, payment=payment))
        reading.counts.add_object("charges", len(page))
        reading.progress(step="charges", at=page[-1].created_at)


def read_invoices(reading: Reading) -> None:
    """Invoices that name payments of ours, and those of plans of our customers. They come first: they know which
    intents pay plans.
    """
    for page in pages(reading, lambda named: reading.gateway.page_invoices(window=reading.scope.window, **named)):
        names = [Names(reference=one.payment_reference) for one in page]
        payments = PaymentsOfPage(names)
        plans = InvoicesOfPage(page)
        remember_seen((one.id, None, one.paid_at) for one in page)
        remember_seen(
            (plan_intent(intent_id), None, None)
            for one in page
            if plans.is_ours(one)
            for intent_id in one.payment_intent_ids
        )
        reading.collect(
            difference
            for one, each in zip(page, names, strict=True)
            for difference in (
                compare_plan_invoice(invoice=one, plans=plans)
                if one.subscription_id
                else compare_invoice(invoice=one, payment=payments.find(each))
            )
        )
        reading.counts.add_object("invoices", len(page))
        reading.progress(step="invoices", at=page[-1].created_at)


def pages(reading: Reading, read: Callable[[dict[str, str]], Iterator[list[T]]]) -> Iterator[list[T]]:
    """The pages of all customers, or of each id at Stripe of the one that is compared."""
    if reading.scope.customer is None:
        yield from read({})
    for stripe_customer_id in reading.scope.stripe_customer_ids():
        yield from read({"customer_id": stripe_customer_id})


def _compare_money_back(reading: Reading, *, charge: ChargeFacts, payment: Payment) -> Iterator[Difference]:
    gateway, counts, intent_id = reading.gateway, reading.counts, charge.payment_intent_id
    if charge.refunded_minor or payment.refunds.all():
        for refund in gateway.list_refunds_of(charge_id=charge.id):
            remember_seen([(refund.id, payment.pk, None)])
            counts.add_object("refunds")
            yield from compare_refund(refund=refund, payment=payment)
    if intent_id and (charge.is_disputed or payment.disputes.all()):
        for dispute in gateway.list_disputes_of(payment_intent_id=intent_id):
            remember_seen(
                [(dispute.id, payment.pk, None), *((moved.id, payment.pk, None) for moved in dispute.movements)]
            )
            counts.add_object("disputes")
            yield from compare_dispute(dispute=dispute, payment=payment)
    if intent_id:
        for warning in gateway.list_fraud_warnings_of(payment_intent_id=intent_id):
            counts.add_object("fraud_warnings")
            yield from compare_fraud_warning(warning=warning, payment=payment)
