"""Every kind of finding: where staff find it, how much it matters, what repairs it. See docs/reconciliation.md."""

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


_CONVERGE = "Read the payment at Stripe and converge it (--repair, or Repair here)."
_READ_PLAN = "Read it at Stripe and merge what it says (--repair, or Repair here)."
_LOOK_UP = "Look it up at Stripe's dashboard; refund, correct by an adjustment, or accept."

_KINDS = (
    FindingKind(
        name="paid_not_granted",
        label="Paid at Stripe, not granted here",
        bucket=Bucket.MISSING_HERE,
        severity=Severity.HIGH,
        repair=Repair.CONVERGE,
        suggestion=_CONVERGE,
    ),
    FindingKind(
        name="payment_not_ours",
        label="Paid at Stripe for no payment of ours",
        bucket=Bucket.MISSING_HERE,
        severity=Severity.HIGH,
        repair=Repair.STAFF,
        suggestion="Find out who paid for what: refund it at Stripe's dashboard, or accept what belongs elsewhere.",
    ),
    FindingKind(
        name="payment_contradicted",
        label="Paid a second time, under another checkout",
        bucket=Bucket.MISSING_HERE,
        severity=Severity.HIGH,
        repair=Repair.STAFF,
        suggestion="Refund the second payment at Stripe's dashboard.",
    ),
    FindingKind(
        name="checkout_state_differs",
        label="Checkout ended at Stripe, open here",
        bucket=Bucket.MISSING_HERE,
        severity=Severity.LOW,
        repair=Repair.CONVERGE,
        suggestion=_CONVERGE,
    ),
    FindingKind(
        name="event_missed",
        label="Event that never came",
        bucket=Bucket.MISSING_HERE,
        severity=Severity.LOW,
        repair=Repair.INBOX,
        suggestion="Put it into the inbox, which reads its object at Stripe again (--repair, or Repair here).",
    ),
    FindingKind(
        name="event_unmatched",
        label="Event of nothing that we know",
        bucket=Bucket.MISSING_HERE,
        severity=Severity.HIGH,
        repair=Repair.STAFF,
        suggestion="Look the object up at Stripe's dashboard; replay the event once its payment is known, or accept.",
    ),
    FindingKind(
        name="event_failed",
        label="Event that cannot be worked off",
        bucket=Bucket.MISSING_HERE,
        severity=Severity.HIGH,
        repair=Repair.STAFF,
        suggestion="Read its traceback, correct the cause, replay it.",
    ),
    FindingKind(
        name="event_contradicted",
        label="Event that contradicts what we know",
        bucket=Bucket.MISSING_HERE,
        severity=Severity.CRITICAL,
        repair=Repair.STAFF,
        suggestion="Compare the event with its payment; refund at Stripe's dashboard, or accept.",
    ),
    FindingKind(
        name="plan_invoice_missing",
        label="Plan's invoice paid at Stripe, not here",
        bucket=Bucket.MISSING_HERE,
        severity=Severity.HIGH,
        repair=Repair.PLAN,
        suggestion=_READ_PLAN,
    ),
    FindingKind(
        name="subscription_differs",
        label="Subscription is not what is recorded",
        bucket=Bucket.MISSING_HERE,
        severity=Severity.LOW,
        repair=Repair.PLAN,
        suggestion=_READ_PLAN,
    ),
    FindingKind(
        name="plan_price_unknown",
        label="Plan's invoice at a price of no plan",
        bucket=Bucket.MISSING_HERE,
        severity=Severity.HIGH,
        repair=Repair.STAFF,
        suggestion="Enter the price with its plan in the admin, then run reconcile_stripe; or refund the invoice.",
    ),
    FindingKind(
        name="plan_invoice_unknown",
        label="Plan's invoice paid here, not at Stripe",
        bucket=Bucket.MISSING_THERE,
        severity=Severity.CRITICAL,
        repair=Repair.STAFF,
        suggestion=_LOOK_UP,
    ),
    FindingKind(
        name="plan_invoice_differs",
        label="Plan's invoice is not what is recorded",
        bucket=Bucket.AMOUNT,
        severity=Severity.HIGH,
        repair=Repair.PLAN,
        suggestion=_READ_PLAN,
    ),
    FindingKind(
        name="granted_not_paid",
        label="Granted here, not paid at Stripe",
        bucket=Bucket.MISSING_THERE,
        severity=Severity.CRITICAL,
        repair=Repair.STAFF,
        suggestion=_LOOK_UP,
    ),
    FindingKind(
        name="payment_missing",
        label="Payment that Stripe does not know",
        bucket=Bucket.MISSING_THERE,
        severity=Severity.HIGH,
        repair=Repair.STAFF,
        suggestion="Check that our key is of the right account; then correct the credits by an adjustment, or accept.",
    ),
    FindingKind(
        name="amount_differs",
        label="Another amount was paid than is recorded",
        bucket=Bucket.AMOUNT,
        severity=Severity.HIGH,
        repair=Repair.CONVERGE,
        suggestion=_CONVERGE,
    ),
    FindingKind(
        name="payment_mismatched",
        label="Paid, but not what was offered",
        bucket=Bucket.AMOUNT,
        severity=Severity.CRITICAL,
        repair=Repair.STAFF,
        suggestion="Grant what was offered, or refund what was paid.",
    ),
    FindingKind(
        name="invoice_differs",
        label="Invoice that does not fit its payment",
        bucket=Bucket.AMOUNT,
        severity=Severity.LOW,
        repair=Repair.STAFF,
        suggestion="Correct the invoice at Stripe's dashboard (void it, or a credit note), or accept.",
    ),
    FindingKind(
        name="currency_differs",
        label="Another currency was paid than is recorded",
        bucket=Bucket.CURRENCY,
        severity=Severity.HIGH,
        repair=Repair.CONVERGE,
        suggestion=_CONVERGE,
    ),
    FindingKind(
        name="refund_not_recorded",
        label="Refund at Stripe, not here",
        bucket=Bucket.REFUND,
        severity=Severity.HIGH,
        repair=Repair.CONVERGE,
        suggestion=_CONVERGE,
    ),
    FindingKind(
        name="refund_state_differs",
        label="Refund alive on one side, dead on the other",
        bucket=Bucket.REFUND,
        severity=Severity.HIGH,
        repair=Repair.CONVERGE,
        suggestion=_CONVERGE,
    ),
    FindingKind(
        name="refund_amount_differs",
        label="Refund of another amount or currency",
        bucket=Bucket.REFUND,
        severity=Severity.HIGH,
        repair=Repair.STAFF,
        suggestion=_LOOK_UP,
    ),
    FindingKind(
        name="refund_missing",
        label="Refund here, not at Stripe",
        bucket=Bucket.REFUND,
        severity=Severity.HIGH,
        repair=Repair.STAFF,
        suggestion=_LOOK_UP,
    ),
    FindingKind(
        name="dispute_not_recorded",
        label="Dispute at Stripe, not here",
        bucket=Bucket.DISPUTE,
        severity=Severity.HIGH,
        repair=Repair.CONVERGE,
        suggestion=_CONVERGE,
    ),
    FindingKind(
        name="dispute_state_differs",
        label="Dispute in another state",
        bucket=Bucket.DISPUTE,
        severity=Severity.MEDIUM,
        repair=Repair.CONVERGE,
        suggestion=_CONVERGE,
    ),
    FindingKind(
        name="dispute_movement_not_recorded",
        label="Disputed money moved at Stripe, not here",
        bucket=Bucket.DISPUTE,
        severity=Severity.HIGH,
        repair=Repair.CONVERGE,
        suggestion=_CONVERGE,
    ),
    FindingKind(
        name="dispute_missing",
        label="Dispute here, not at Stripe",
        bucket=Bucket.DISPUTE,
        severity=Severity.HIGH,
        repair=Repair.STAFF,
        suggestion=_LOOK_UP,
    ),
    FindingKind(
        name="dispute_movement_missing",
        label="Disputed money moved here, not at Stripe",
        bucket=Bucket.DISPUTE,
        severity=Severity.HIGH,
        repair=Repair.STAFF,
        suggestion=_LOOK_UP,
    ),
    FindingKind(
        name="fraud_warning_not_recorded",
        label="Fraud warning at Stripe, not here",
        bucket=Bucket.DISPUTE,
        severity=Severity.HIGH,
        repair=Repair.CONVERGE,
        suggestion=_CONVERGE,
    ),
    FindingKind(
        name="customer_deleted",
        label="Customer deleted at Stripe",
        bucket=Bucket.CUSTOMER,
        severity=Severity.LOW,
        repair=Repair.FORGET_CUSTOMER,
        suggestion="Mark the id as gone (--repair, or Repair here); the next purchase makes a new customer at Stripe.",
    ),
    FindingKind(
        name="customer_doubled",
        label="Two customers at Stripe for one of ours",
        bucket=Bucket.CUSTOMER,
        severity=Severity.LOW,
        repair=Repair.STAFF,
        suggestion="Delete the one that we do not use at Stripe's dashboard, or accept.",
    ),
    FindingKind(
        name="books_do_not_close",
        label="Ledger that does not agree with itself",
        bucket=Bucket.LEDGER,
        severity=Severity.CRITICAL,
        repair=Repair.STAFF,
        suggestion="Find the cause (manage.py reconcile_ledger), correct it, then lift the freeze of the customer.",
    ),
)
FINDING_KINDS: dict[str, FindingKind] = {kind.name: kind for kind in _KINDS}
# Raised by what notices them, convergence or the inbox; a run of reconciliation does not end them.
RAISED_ELSEWHERE = frozenset(
    {
        "payment_mismatched",
        "plan_price_unknown",
        "event_unmatched",
        "event_failed",
        "event_contradicted",
        "books_do_not_close",
    }
)
