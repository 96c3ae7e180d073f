"""When a finding is settled: our rows say by now what Stripe said when it was seen. Each repair has its check."""

from collections.abc import Callable

from billing.models import (
    BillingCustomer,
    CreditNote,
    DisputeMovement,
    EventState,
    FraudWarning,
    Invoice,
    InvoiceLine,
    Payment,
    PaymentDispute,
    PaymentRefund,
    ReconciliationFinding,
    StripeEvent,
    Subscription,
)


def is_settled(finding: ReconciliationFinding) -> bool:
    """Whether our rows by now say what Stripe said when the finding was seen."""
    check = SETTLED.get(finding.kind)
    if check is None:
        return False
    payment = Payment.objects.filter(pk=finding.payment_id).first() if finding.payment_id else None
    return check(finding, payment)


def _is_granted(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    """A payment that turns out not to be what was offered is recorded, and a finding of its own for staff."""
    return payment is not None and payment.paid_at is not None and bool(payment.posting_count or payment.mismatch)


def _is_amount_the_same(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    return payment is not None and (payment.paid_amount_minor, payment.paid_currency) == (
        finding.theirs.get("amount_minor"),
        finding.theirs.get("currency"),
    )


def _has_state(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    if payment is None:
        return False
    ended = payment.expired_at if finding.theirs.get("status") == "expired" else payment.completed_at
    return ended is not None or payment.paid_at is not None


def _is_refund_the_same(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    known = PaymentRefund.objects.filter(refund_id=finding.stripe_id).first()
    return known is not None and known.is_dead is (finding.theirs.get("status") in ("failed", "canceled"))


def _is_credit_note_the_same(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    known = CreditNote.objects.filter(credit_note_id=finding.stripe_id).first()
    return known is not None and known.is_void is (finding.theirs.get("status") == "void")


def _is_dispute_known(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    return PaymentDispute.objects.filter(dispute_id=finding.stripe_id).exists()


def _has_read_dispute_since(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    known = PaymentDispute.objects.filter(dispute_id=finding.stripe_id).first()
    return known is not None and (
        known.status == finding.theirs.get("status") or known.status_read_at > finding.last_seen_at
    )


def _is_movement_known(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    return DisputeMovement.objects.filter(balance_transaction_id=finding.theirs.get("movement")).exists()


def _is_warning_known(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    return FraudWarning.objects.filter(warning_id=finding.stripe_id).exists()


def _is_event_known(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    """A dead one is not: staff have to look at it."""
    known = StripeEvent.objects.filter(event_id=finding.stripe_id)
    return known.exclude(state=EventState.DEAD).exists()


def _is_customer_forgotten(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    return not BillingCustomer.objects.filter(stripe_customer_id=finding.stripe_id).exists()


def _is_invoice_the_same(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    known = Invoice.objects.filter(invoice_id=finding.stripe_id).first()
    return known is not None and (known.status, known.total_minor) == (
        finding.theirs.get("status"),
        finding.theirs.get("total_minor"),
    )


def _are_prices_known(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    lines = InvoiceLine.objects.filter(invoice__invoice_id=finding.stripe_id, unit_credits__isnull=True)
    return not lines.filter(price_id__in=str(finding.theirs.get("prices", "")).split(", ")).exists()


def _has_read_subscription_since(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    known = Subscription.objects.filter(subscription_id=finding.stripe_id).first()
    return known is not None and known.read_at > finding.last_seen_at


SETTLED: dict[str, Callable[[ReconciliationFinding, Payment | None], bool]] = {
    "paid_not_granted": _is_granted,
    "amount_differs": _is_amount_the_same,
    "currency_differs": _is_amount_the_same,
    "checkout_state_differs": _has_state,
    "refund_not_recorded": _is_refund_the_same,
    "refund_state_differs": _is_refund_the_same,
    "credit_note_differs": _is_credit_note_the_same,
    "dispute_not_recorded": _is_dispute_known,
    "dispute_state_differs": _has_read_dispute_since,
    "dispute_movement_not_recorded": _is_movement_known,
    "fraud_warning_not_recorded": _is_warning_known,
    "plan_invoice_missing": _is_invoice_the_same,
    "plan_invoice_differs": _is_invoice_the_same,
    "plan_price_unknown": _are_prices_known,
    "subscription_differs": _has_read_subscription_since,
    "event_missed": _is_event_known,
    "customer_deleted": _is_customer_forgotten,
}
