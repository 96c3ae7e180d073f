"""One noun per file; import them from here."""

from billing.models.balance import CreditBalance
from billing.models.customer import BillingCustomer
from billing.models.grant import CreditGrant, GrantAllocation, UncoveredPart
from billing.models.hold import CreditHold
from billing.models.ledger_entry import LedgerEntry
from billing.models.pack import CreditPack
from billing.models.payment import Payment, PaymentKind, PaymentState
from billing.models.signup_bonus import SignupBonus
from billing.models.stripe_event import EventState, StripeEvent

__all__ = [
    "BillingCustomer",
    "CreditBalance",
    "CreditGrant",
    "CreditHold",
    "CreditPack",
    "EventState",
    "GrantAllocation",
    "LedgerEntry",
    "Payment",
    "PaymentKind",
    "PaymentState",
    "SignupBonus",
    "StripeEvent",
    "UncoveredPart",
]
