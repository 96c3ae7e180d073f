"""Steps that read what went back, and what moved the balance at Stripe."""

from collections.abc import Sequence

from billing.errors import StripeObjectMissing
from billing.gateway.listed import BalanceTransactionFacts
from billing.models import DisputeMovement, Payment, PaymentRefund
from billing.services.reconciliation.collecting import Reading
from billing.services.reconciliation.compare_money_back import (
    compare_dispute,
    compare_fraud_warning,
    compare_refund,
)
from billing.services.reconciliation.compare_payments import compare_charge
from billing.services.reconciliation.local_rows import Names, PaymentsOfPage
from billing.services.reconciliation.seen import payments_seen, remember_seen
from billing.services.reconciliation.shapes import Difference

_CHARGES = ("charge", "payment")
_REFUNDS = ("refund", "payment_refund")
_REFUNDS_THAT_FAILED = ("refund_failure", "payment_refund_failure")
_DISPUTES = ("adjustment",)


def read_refunds(reading: Reading) -> None:
    """Refunds made in the window."""
    for page in reading.gateway.page_refunds(window=reading.scope.window):
        names = [Names(payment_intent_id=one.payment_intent_id, charge_id=one.charge_id) for one in page]
        differences: list[Difference] = []
        for one, payment in zip(page, _payments(reading, names), strict=True):
            remember_seen([(one.id, payment.pk if payment else None, None)])
            if payment is not None:
                differences += compare_refund(refund=one, payment=payment)
        reading.collect(differences)
        reading.counts.add_object("refunds", len(page))
        reading.progress(step="refunds", at=page[-1].created_at)


def read_disputes(reading: Reading) -> None:
    """Disputes opened in the window."""
    for page in reading.gateway.page_disputes(window=reading.scope.window):
        names = [Names(payment_intent_id=one.payment_intent_id, charge_id=one.charge_id) for one in page]
        differences: list[Difference] = []
        for one, payment in zip(page, _payments(reading, names), strict=True):
            payment_id = payment.pk if payment else None
            remember_seen([(one.id, payment_id, None), *((moved.id, payment_id, None) for moved in one.movements)])
            if payment is not None:
                differences += compare_dispute(dispute=one, payment=payment)
        reading.collect(differences)
        reading.counts.add_object("disputes", len(page))
        reading.progress(step="disputes", at=page[-1].created_at)


def read_fraud_warnings(reading: Reading) -> None:
    """Early fraud warnings made in the window."""
    for page in reading.gateway.page_fraud_warnings(window=reading.scope.window):
        names = [Names(payment_intent_id=one.payment_intent_id, charge_id=one.charge_id) for one in page]
        differences: list[Difference] = []
        for one, payment in zip(page, _payments(reading, names), strict=True):
            if payment is not None:
                differences += compare_fraud_warning(warning=one, payment=payment)
        reading.collect(differences)
        reading.counts.add_object("fraud_warnings", len(page))
        reading.progress(step="fraud_warnings", at=page[-1].created_at)


def read_balance_transactions(reading: Reading) -> None:
    """Movements of the balance: they show late changes of older payments, and what Stripe kept as its fees."""
    for page in reading.gateway.page_balance_transactions(window=reading.scope.window):
        for one in page:
            reading.counts.add_movement(
                currency=one.currency,
                amount_minor=one.amount_minor,
                fee_minor=one.fee_minor,
                net_minor=one.net_minor,
            )
        unexplained = _unexplained(page)
        remember_seen((one.id, None, None) for one in page)
        for one in unexplained:
            _follow_source(reading, one)
        reading.counts.add_object("balance_transactions", len(page))
        reading.progress(step="balance_transactions", at=page[-1].created_at)


def _payments(reading: Reading, names: Sequence[Names]) -> list[Payment | None]:
    """The payment of each. One that does not know its intent yet is found by asking the intent for our id."""
    page = PaymentsOfPage(names, with_money_back=True)
    found = [page.find(each) for each in names]
    unknown = {each.payment_intent_id for each, one in zip(names, found, strict=True) if one is None}
    seen = payments_seen(sorted(unknown))
    learned: dict[str, Payment | None] = {}
    for intent_id in unknown - set(seen) - {""}:  # one that was seen names nothing of ours
        try:
            intent = reading.gateway.retrieve_payment_intent(payment_intent_id=intent_id)
        except StripeObjectMissing:
            continue
        named = Payment.objects.filter(public_id=intent.payment_reference or "-").select_related("customer").first()
        remember_seen([(intent_id, named.pk if named else None, intent.charged_at)])
        learned[intent_id] = named
    return [one or learned.get(each.payment_intent_id) for each, one in zip(names, found, strict=True)]


def _unexplained(page: Sequence[BalanceTransactionFacts]) -> list[BalanceTransactionFacts]:
    """Movements of which neither our rows nor this run's lists know the source as it is after them."""
    sources = [one.source_id for one in page if one.source_id]
    seen = payments_seen([*sources, *(one.id for one in page)])
    known_charges = set(Payment.objects.filter(charge_id__in=sources).values_list("charge_id", flat=True))
    refunds = dict(PaymentRefund.objects.filter(refund_id__in=sources).values_list("refund_id", "is_dead"))
    moved = set(
        DisputeMovement.objects.filter(balance_transaction_id__in=[one.id for one in page]).values_list(
            "balance_transaction_id", flat=True
        )
    )

    def is_explained(one: BalanceTransactionFacts) -> bool:
        if one.type in _CHARGES:
            return one.source_id in known_charges or one.source_id in seen
        if one.type in _REFUNDS:
            return one.source_id in refunds or one.source_id in seen
        if one.type in _REFUNDS_THAT_FAILED:
            return refunds.get(one.source_id) is True or one.source_id in seen
        if one.type in _DISPUTES:  # a dispute carries its first movements only, so having seen it is not enough
            return one.id in moved or one.id in seen or not one.source_id.startswith(("dp_", "du_"))
        return True

    return [one for one in page if not is_explained(one)]


def _follow_source(reading: Reading, moved: BalanceTransactionFacts) -> None:
    """Compare the object that a movement belongs to: it is older than the window, or changed after it was made."""
    gateway, source = reading.gateway, moved.source_id
    if moved.type in _CHARGES:
        charge = gateway.retrieve_charge(charge_id=source)
        names = Names(
            reference=charge.payment_reference, payment_intent_id=charge.payment_intent_id, charge_id=charge.id
        )
        payment = PaymentsOfPage([names]).find(names)
        remember_seen([(charge.id, payment.pk if payment else None, charge.created_at)])
        reading.collect(compare_charge(charge=charge, payment=payment))
    elif moved.type in _DISPUTES:
        dispute = gateway.retrieve_dispute(dispute_id=source)
        names = Names(payment_intent_id=dispute.payment_intent_id, charge_id=dispute.charge_id)
        for payment in _payments(reading, [names]):
            if payment is not None:
                reading.collect(compare_dispute(dispute=dispute, payment=payment))
    else:
        refund = gateway.retrieve_refund(refund_id=source)
        names = Names(payment_intent_id=refund.payment_intent_id, charge_id=refund.charge_id)
        for payment in _payments(reading, [names]):
            if payment is not None:
                reading.collect(compare_refund(refund=refund, payment=payment))
