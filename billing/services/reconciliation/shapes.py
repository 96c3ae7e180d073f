"""What passes between the steps of a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from accounts.models import User
from billing.gateway.listing import Window
from billing.models import BillingCustomer, Payment, RunTrigger, Severity

# Webhooks that are on their way are no findings: so long after what they tell of, nothing is missed.
GRACE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeScope:
    """What a run compares, and whether it repairs what it finds.

    Without an end the window is open, up to whatever is there when it is read. `grace` leaves out what is younger;
    `records=False` writes nothing at all.
    """

    since: datetime
    until: datetime | None = None
    customer: BillingCustomer | None = None
    repairs: bool = False
    records: bool = True
    grace: timedelta = GRACE
    trigger: RunTrigger = RunTrigger.COMMAND
    started_by: User | None = None

    @property
    def window(self) -> Window:
        return Window(since=self.since, until=self.until)

    def stripe_customer_ids(self) -> list[str]:
        """The ids at Stripe, present and past, of the one customer that is compared; none where all are."""
        if self.customer is None:
            return []
        named = [self.customer.stripe_customer_id, *self.customer.former_stripe_customer_ids]
        return [one for one in named if one]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that does not agree. `subject` makes it the same thing in every run.

    `occurred_at` is the time by which the lists of Stripe's or ours find it; `changed_at` when what differs came to be,
    where that is later.
    """

    kind: str
    subject: str
    detail: str
    occurred_at: datetime
    changed_at: datetime | None = None
    severity: Severity | None = None
    payment: Payment | None = None
    customer: BillingCustomer | None = None
    stripe_id: str = ""
    ours: Mapping[str, Any] = field(default_factory=dict)
    theirs: Mapping[str, Any] = field(default_factory=dict)

    def is_young(self, *, now: datetime, grace: timedelta) -> bool:
        """Whether the webhook that tells of it may still be on its way."""
        return now - (self.changed_at or self.occurred_at) < grace


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """The inbox, as far as reconciliation needs it: which events it reads, and how it works one off."""

    event_types: Sequence[str]
    work_off: Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a step has come: the share is of the window's time, because Stripe's lists do not tell their length."""

    step: str
    share: float
    count: int
    findings: int


@dataclass(slots=True)
class Counts:
    """What a run has read and found."""

    objects: dict[str, int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    balance: dict[str, dict[str, int]] = field(default_factory=dict)
    repaired: int = 0
    left: int = 0
    new: int = 0
    gone: int = 0
    failed_repairs: int = 0

    def add_object(self, name: str, count: int = 1) -> None:
        self.objects[name] = self.objects.get(name, 0) + count

    def add_finding(self, kind: str) -> None:
        self.findings[kind] = self.findings.get(kind, 0) + 1

    def add_movement(self, *, currency: str, amount_minor: int, fee_minor: int, net_minor: int) -> None:
        """Stripe's fees appear here only: they are the seller's, not the customer's."""
        sums = self.balance.setdefault(currency, {"gross_minor": 0, "fee_minor": 0, "net_minor": 0})
        sums["gross_minor"] += amount_minor
        sums["fee_minor"] += fee_minor
        sums["net_minor"] += net_minor

    def as_json(self) -> dict[str, Any]:
        """As it is kept with the run."""
        return {
            "objects": self.objects,
            "findings": self.findings,
            "balance": self.balance,
            "repaired": self.repaired,
            "left": self.left,
            "new": self.new,
            "gone": self.gone,
            "failed_repairs": self.failed_repairs,
        }
