"""What the planner reads and what it decides, as plain dataclasses (pure: no Django).

Rows that do not exist yet have negative references: a new entry is `-sequence`, and so is the grant it brings.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from billing.kinds import AllocationKind, EntryKind, HoldState

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A wish to move credits: `amount` is signed, `key` names the intent once per customer.

    For credits that come in as a grant: what was paid for it (`cost_minor`, `currency`), `expires_at` and, where the
    kind's own place is not meant, `priority`. For credits that come back: `payment_id` or `corrects_id` say whose
    allocations are undone (`on_top_ids`: what earlier corrections charged on top of the same), and a grant that they
    return to does not lapse before `return_until` (by default 30 days after a correction; the time that the money was
    away is the caller's to add). An allowance, and what takes it back, names the period of its subscription
    (`plan_period_id`).

    Staff's debits may be approved to leave a debt (`may_leave_debt`). Usage may only where it writes down work that was
    done elsewhere already (`is_work_done`); then a freeze does not stop it either, as with the settling of a hold.
    """

    customer_id: int
    kind: EntryKind
    amount: Decimal
    key: str
    description: str = ""
    occurred_at: datetime | None = None
    payment_id: int | None = None
    plan_period_id: int | None = None
    corrects_id: int | None = None
    on_top_ids: tuple[int, ...] = ()
    source_type: str = ""
    source_id: str = ""
    cost_minor: int = 0
    currency: str = ""
    expires_at: datetime | None = None
    priority: int | None = None
    return_until: datetime | None = None
    may_leave_debt: bool = False
    is_work_done: bool = False

    def request_hash(self) -> str:
        """What makes a second request with this key the same one: everything but text and time."""
        plan = () if self.plan_period_id is None else (self.plan_period_id,)
        return hash_request(
            self.customer_id,
            self.kind,
            self.amount,
            self.payment_id,
            self.corrects_id,
            self.source_type,
            self.source_id,
            *plan,
        )


def hash_request(*parts: object) -> str:
    """A digest of a request's parts; amounts count by value, so that 1 and 1.000000 are one request."""
    spelled = (format(part.normalize(), "f") if isinstance(part, Decimal) else str(part) for part in parts)
    return sha256("\x1f".join(spelled).encode()).hexdigest()


@dataclass(slots=True)
class Grant:
    """An open grant, or one that credits may return to."""

    ref: int
    amount: Decimal
    remaining: Decimal
    priority: int
    expires_at: datetime | None
    entry_ref: int
    payment_id: int | None = None
    plan_period_id: int | None = None
    is_changed: bool = False
    has_new_end: bool = False

    def burn_down_key(self) -> tuple[int, bool, float, bool, int]:
        """Priority, then soonest expiry, then oldest; new grants are the youngest."""
        lapses = self.expires_at.timestamp() if self.expires_at else 0.0
        return (self.priority, self.expires_at is None, lapses, self.ref < 0, abs(self.ref))

    def has_lapsed(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(slots=True)
class Hold:
    """A hold as the planner sees it. A new one has the reference 0 until it is written."""

    ref: int
    public_id: str
    amount: Decimal
    state: HoldState
    placed_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    settled_amount: Decimal | None = None
    is_late: bool = False
    is_changed: bool = False


@dataclass(slots=True)
class UncoveredEntry:
    """An outgoing entry and the part of it that no grant has covered yet."""

    entry_ref: int
    amount: Decimal
    is_changed: bool = False


@dataclass(slots=True)
class PastEntry:
    """An outgoing entry whose allocations may be undone: (grant, amount) in the order they were drawn."""

    ref: int
    kind: EntryKind
    amount: Decimal
    payment_id: int | None
    plan_period_id: int | None = None
    drawn: list[tuple[int, Decimal]] = field(default_factory=list)
    returned: Decimal = ZERO

    def returnable(self) -> Decimal:
        return -self.amount - self.returned

    def replay(self, *, grant_ref: int | None, amount: Decimal, kind: AllocationKind) -> None:
        """Follow one allocation: a positive one goes on top, a negative one takes the grant's newest share off."""
        if kind in (AllocationKind.RETURN, AllocationKind.WRITE_OFF):
            self.returned -= amount
        if grant_ref is None:
            return
        if amount > 0:
            self.drawn.append((grant_ref, amount))
            return
        rest = -amount
        for index in range(len(self.drawn) - 1, -1, -1):
            ref, drawn = self.drawn[index]
            if ref == grant_ref and rest:
                share = min(rest, drawn)
                self.drawn[index] = (ref, drawn - share)
                rest -= share
        self.drawn = [(ref, drawn) for ref, drawn in self.drawn if drawn]


@dataclass(slots=True)
class KnownEntry:
    """An entry that a key already stands for."""

    ref: int
    request_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An entry to append."""

    sequence: int
    kind: EntryKind
    amount: Decimal
    balance_after: Decimal
    key: str
    request_hash: str
    description: str
    occurred_at: datetime
    payment_id: int | None = None
    plan_period_id: int | None = None
    hold_id: int | None = None
    corrects_id: int | None = None
    is_late: bool = False
    source_type: str = ""
    source_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    """What a new grant has beside its `Grant`: its kind and its cost."""

    grant: Grant
    kind: EntryKind
    cost_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class NewAllocation:
    """A signed share of an outgoing entry; `cause_ref` is the entry whose posting wrote it."""

    entry_ref: int
    grant_ref: int | None
    amount: Decimal
    kind: AllocationKind
    cause_ref: int


@dataclass(slots=True, kw_only=True)
class Account:
    """One customer's locked state, and what is planned on it. The planner changes it; the writer writes the changes."""

    customer_id: int
    posted: Decimal
    held: Decimal
    overdraft_limit: Decimal
    last_sequence: int
    is_frozen: bool = False
    top_up_below: Decimal | None = None  # set while automatic top-up is on
    top_up_due_at: datetime | None = None
    grants: list[Grant] = field(default_factory=list)  # in burn-down order
    open_holds: list[Hold] = field(default_factory=list)  # loaded where a grant has lapsed or a hold ends
    uncovered: list[UncoveredEntry] = field(default_factory=list)  # oldest first
    past_entries: dict[int, PastEntry] = field(default_factory=dict)  # oldest first; loaded for returns
    known_keys: dict[str, KnownEntry] = field(default_factory=dict)

    entries: list[NewEntry] = field(default_factory=list)
    new_grants: list[NewGrant] = field(default_factory=list)
    allocations: list[NewAllocation] = field(default_factory=list)
    ended_holds: list[Hold] = field(default_factory=list)
    asks_for_top_up: bool = False  # this plan has crossed the threshold

    @property
    def available(self) -> Decimal:
        """What is posted and not held; below zero where the customer owes."""
        return self.posted - self.held

    def mark_top_up(self, *, before: Decimal, spent: Decimal, now: datetime) -> None:
        """Note that spending took what was available `before` below the threshold, from above (rule 13).

        A mark that stands keeps its time: the top-up was put off until then.
        """
        below = self.top_up_below
        if below is not None and self.top_up_due_at is None and before >= below > before - spent:
            self.top_up_due_at, self.asks_for_top_up = now, True

    @property
    def spendable(self) -> Decimal:
        """What usage may still take, with the overdraft; below zero where the customer owes."""
        return self.posted - self.held + self.overdraft_limit

    def next_expiry_at(self) -> datetime | None:
        """When the next grant lapses; in the past while open holds keep a lapsed one."""
        return min((g.expires_at for g in self.grants if g.expires_at and g.remaining), default=None)

    def append(self, entry: NewEntry) -> int:
        """Record an entry that moves `posted`; gives its reference."""
        ref = -entry.sequence
        self.last_sequence, self.posted = entry.sequence, entry.balance_after
        self.entries.append(entry)
        self.known_keys[entry.key] = KnownEntry(ref, entry.request_hash)
        if entry.amount < 0:
            self.past_entries[ref] = PastEntry(ref, entry.kind, entry.amount, entry.payment_id, entry.plan_period_id)
        return ref

    def new_entry(self, sequence: int) -> NewEntry:
        """The planned entry of a sequence number."""
        return self.entries[sequence - self.entries[0].sequence]

    def allocate(
        self, *, entry_ref: int, grant: Grant, amount: Decimal, kind: AllocationKind, cause_ref: int | None = None
    ) -> None:
        """Let a grant pay `amount` of an outgoing entry, or take it back where it is negative."""
        grant.remaining -= amount
        grant.is_changed = True
        self.allocations.append(NewAllocation(entry_ref, grant.ref, amount, kind, cause_ref or entry_ref))
        past = self.past_entries.get(entry_ref)
        if past is not None:
            past.replay(grant_ref=grant.ref, amount=amount, kind=kind)

    def clear_uncovered(self, *, part: UncoveredEntry, amount: Decimal, kind: AllocationKind, cause_ref: int) -> None:
        """Let an uncovered part vanish by a returning or writing-off entry instead of a grant."""
        part.amount -= amount
        part.is_changed = True
        self.allocations.append(NewAllocation(part.entry_ref, None, -amount, kind, cause_ref))
        past = self.past_entries.get(part.entry_ref)
        if past is not None:
            past.replay(grant_ref=None, amount=-amount, kind=kind)

    def sort_grants(self) -> None:
        self.grants.sort(key=Grant.burn_down_key)
