"""What a kind of finding is: where staff find it, how much it matters, what repairs it."""

from dataclasses import dataclass
from enum import StrEnum

from billing.models import Severity


class Bucket(StrEnum):
    """What does not agree, in the words of the lists that staff look at."""

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    AMOUNT = "amount"
    CURRENCY = "currency"
    REFUND = "refund"
    DISPUTE = "dispute"
    CUSTOMER = "customer"
    LEDGER = "ledger"


BUCKET_LABELS = {
    Bucket.MISSING_HERE: "At Stripe, not here",
    Bucket.MISSING_THERE: "Here, not at Stripe",
    Bucket.AMOUNT: "Amount differs",
    Bucket.CURRENCY: "Currency differs",
    Bucket.REFUND: "Refund",
    Bucket.DISPUTE: "Dispute",
    Bucket.CUSTOMER: "Customer",
    Bucket.LEDGER: "Ledger",
}


class Repair(StrEnum):
    """Who can put it right, and how."""

    CONVERGE = "converge"  # read the payment at Stripe and converge it
    INBOX = "inbox"  # put the missed event into the inbox, which reads its object again
    FORGET_CUSTOMER = "forget_customer"  # mark the id at Stripe as gone
    PLAN = "plan"  # read the invoice or the subscription, and merge it
    STAFF = "staff"  # a person decides


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingKind:
    """What one kind of finding means. `suggestion` is what staff read as the suggested repair."""

    name: str
    label: str
    bucket: Bucket
    severity: Severity
    repair: Repair
    suggestion: str
