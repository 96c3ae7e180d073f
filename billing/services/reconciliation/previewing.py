"""What a repair would do: the convergence itself, on facts read now, in a database transaction that is rolled back."""

from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from billing.gateway.client import StripeGateway
from billing.kinds import EntryKind
from billing.models import CreditBalance, LedgerEntry, Payment, PaymentState, ReconciliationFinding
from billing.money import format_credits, format_money
from billing.services.convergence import Convergence
from billing.services.payments import converge_payment
from billing.services.reconciliation.kinds import FINDING_KINDS, Repair
from billing.services.reconciliation.repairing import read_facts_of_repair


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFigures:
    """A payment and its customer's balance at one moment."""

    state: str
    paid_minor: int | None
    given_back_minor: int
    currency: str
    credits: Decimal
    posted: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPreview:
    """What a repair would do, line by line: name, now, afterwards. `outcome` says it in a sentence."""

    rows: tuple[tuple[str, str, str], ...]
    outcome: str


def preview_repair(*, finding: ReconciliationFinding, gateway: StripeGateway) -> RepairPreview:
    """What the repair of a finding would do now; nothing is changed. Locks the customer's balance for a moment.

    Raises:
        StripeUnavailable, StripeRefused: Stripe cannot be read.
    """
    repair = FINDING_KINDS[finding.kind].repair
    if repair is Repair.FORGET_CUSTOMER:
        outcome = "The id is kept as a former one. Credits stay; the next purchase makes a new customer at Stripe."
        return RepairPreview(rows=(), outcome=outcome)
    if repair is Repair.PLAN:
        outcome = "What Stripe has is read again and merged: credits follow what its lines allow, no more and no less."
        return RepairPreview(rows=(), outcome=outcome)
    if finding.payment is None:
        outcome = "The event is put into the inbox, which reads its object at Stripe and does what it says."
        return RepairPreview(rows=(), outcome=outcome)
    return _preview_convergence(finding=finding, payment=finding.payment, gateway=gateway)


def _preview_convergence(*, finding: ReconciliationFinding, payment: Payment, gateway: StripeGateway) -> RepairPreview:
    facts = read_facts_of_repair(payment=payment, findings=[finding], gateway=gateway)
    before = _figures(payment)
    if not facts:
        return RepairPreview(rows=(), outcome="Stripe knows nothing of this payment. Nothing would change.")
    with transaction.atomic():
        last = LedgerEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        converged = converge_payment(facts=facts)
        after = _figures(payment)
        entries = LedgerEntry.objects.filter(customer_id=payment.customer_id, pk__gt=last).order_by("sequence")
        posted = [f"{format_credits(entry.amount, signed=True)} ({_kind_of(entry)})" for entry in entries]
        transaction.set_rollback(True)
    if converged is not Convergence.CONVERGED:
        return RepairPreview(rows=(), outcome="What Stripe has contradicts this payment. Nothing would change.")
    outcome = f"Would post {', '.join(posted)}." if posted else "Would post no credits."
    return RepairPreview(rows=_rows(before, after), outcome=outcome)


def _figures(payment: Payment) -> PaymentFigures:
    now = Payment.objects.get(pk=payment.pk)
    entries = LedgerEntry.objects.filter(payment_id=payment.pk).aggregate(total=Sum("amount"))
    return PaymentFigures(
        state=PaymentState(now.state).label,
        paid_minor=now.paid_amount_minor,
        given_back_minor=now.given_back_minor,
        currency=now.paid_currency or now.currency,
        credits=entries["total"] or Decimal(0),
        posted=CreditBalance.objects.values_list("posted", flat=True).get(pk=payment.customer_id),
    )


def _rows(before: PaymentFigures, after: PaymentFigures) -> tuple[tuple[str, str, str], ...]:
    def money(figures: PaymentFigures, amount_minor: int | None) -> str:
        return "–" if amount_minor is None else format_money(amount_minor=amount_minor, currency=figures.currency)

    return (
        ("State", before.state, after.state),
        ("Collected", money(before, before.paid_minor), money(after, after.paid_minor)),
        ("Given back", money(before, before.given_back_minor), money(after, after.given_back_minor)),
        ("Credits of this payment", format_credits(before.credits), format_credits(after.credits)),
        ("Balance of the customer", format_credits(before.posted), format_credits(after.posted)),
    )


def _kind_of(entry: LedgerEntry) -> str:
    return EntryKind(entry.kind).value.replace("_", " ")
