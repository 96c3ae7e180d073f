"""Why a customer owes credits, and why it may not spend: what the pages explain. Reads never lock."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from billing.kinds import EntryKind
from billing.models import CustomerFlag, FraudWarning, Payment, PaymentDispute, UncoveredPart
from billing.money import ZERO

_READ_AT_MOST = 200  # debts are covered oldest first, so these explain the most


class DebtCause(StrEnum):
    """What left a part of a debt."""

    REFUND = "refund"
    DISPUTE = "dispute"
    WORK = "work"
    OTHER = "other"


class FreezeCause(StrEnum):
    """What keeps a customer from spending."""

    DISPUTE = "dispute"
    FRAUD_WARNING = "fraud_warning"
    BOOKS = "books"
    STAFF = "staff"


_CAUSES = {
    EntryKind.REFUND: DebtCause.REFUND,
    EntryKind.DISPUTE: DebtCause.DISPUTE,
    EntryKind.USAGE: DebtCause.WORK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtPart:
    """So many credits of a debt, by one cause; the payment whose money went back."""

    cause: DebtCause
    credits: Decimal
    payment: Payment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """One cause that freezes spending, with the payment that it is about."""

    cause: FreezeCause
    payment: Payment | None


def read_debt_parts(*, customer_id: int) -> list[DebtPart]:
    """What a debt consists of, the largest part first; of one payment's refunds or disputes a single part."""
    uncovered = UncoveredPart.objects.filter(customer_id=customer_id, is_open=True)
    sums: dict[tuple[DebtCause, Payment | None], Decimal] = {}
    for part in uncovered.select_related("entry__payment").order_by("entry_id")[:_READ_AT_MOST]:
        cause = _CAUSES.get(EntryKind(part.entry.kind), DebtCause.OTHER)
        named = part.entry.payment if cause in (DebtCause.REFUND, DebtCause.DISPUTE) else None
        sums[cause, named] = sums.get((cause, named), ZERO) + part.amount
    parts = [DebtPart(cause=cause, credits=credits, payment=payment) for (cause, payment), credits in sums.items()]
    return sorted(parts, key=lambda part: -part.credits)


def read_freezes(*, customer_id: int) -> list[Freeze]:
    """What freezes a customer's spending now, oldest first."""
    flags = CustomerFlag.objects.filter(customer_id=customer_id, ended_at__isnull=True, freezes=True)
    return [_freeze_of(flag.cause) for flag in flags.order_by("raised_at", "pk")]


def _freeze_of(cause: str) -> Freeze:
    kind, _, name = cause.partition(":")
    if kind == "dispute":
        dispute = PaymentDispute.objects.select_related("payment").filter(dispute_id=name).first()
        return Freeze(cause=FreezeCause.DISPUTE, payment=dispute.payment if dispute else None)
    if kind == "fraud_warning":
        warning = FraudWarning.objects.select_related("payment").filter(warning_id=name).first()
        return Freeze(cause=FreezeCause.FRAUD_WARNING, payment=warning.payment if warning else None)
    return Freeze(cause=FreezeCause.BOOKS if kind == "books" else FreezeCause.STAFF, payment=None)
