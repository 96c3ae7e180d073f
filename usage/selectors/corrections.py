"""What the calls of a model in a period were charged, and what they cost at another version of the price.

Pages of calls by (customer, id), each a short statement on an index, so that neither memory nor the length of a
statement grows with the period.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet, Sum

from billing.kinds import AllocationKind
from billing.models import BillingCustomer, GrantAllocation, PricingConfig
from billing.money import ZERO
from billing.selectors.prices import charge_for_tokens
from billing.usage_cost import Tokens
from usage.models import Basis, CorrectedUsage, UsageCorrection, UsageEvent, UsageStatus

CALLS_PER_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionTerms:
    """The calls of `model` from `since` to before `until` are charged as `price` says."""

    model: str
    since: datetime
    until: datetime
    price: PricingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChange:
    """One call: what it has cost so far, corrections included, what it should cost, and the credits to move.

    `difference` is signed as its ledger entry is: positive comes back to the customer. It is less than what was charged
    too much where staff have written off the debt that the call had left: the customer never paid that.
    """

    event: UsageEvent
    charged: Decimal
    right: Decimal
    difference: Decimal
    corrects_id: int | None
    on_top_ids: tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class CustomerChange:
    """What a correction means for one customer: all calls in its period, and the sums of them."""

    customer_id: int
    calls: int = 0
    changed_calls: int = 0
    charged: Decimal = ZERO
    right: Decimal = ZERO
    difference: Decimal = ZERO

    def add(self, change: CallChange) -> None:
        self.calls += 1
        self.changed_calls += bool(change.difference)
        self.charged += change.charged
        self.right += change.right
        self.difference += change.difference


@dataclass(slots=True, kw_only=True)
class CorrectionSums:
    """What a correction moves in all: of how many calls and customers, what comes back and what is taken."""

    customers: int = 0
    calls: int = 0
    changed_calls: int = 0
    charged: Decimal = ZERO
    right: Decimal = ZERO
    difference: Decimal = ZERO

    def add(self, change: CustomerChange) -> None:
        self.customers += bool(change.changed_calls)
        self.calls += change.calls
        self.changed_calls += change.changed_calls
        self.charged += change.charged
        self.right += change.right
        self.difference += change.difference


def preview_correction(*, terms: CorrectionTerms) -> Iterator[CustomerChange]:
    """What the correction would do to each customer who has calls in the period, one after another; writes nothing."""
    current: CustomerChange | None = None
    for page in pages_of_calls(terms=terms):
        for change in changes_of_calls(events=page, price=terms.price):
            if current is None or current.customer_id != change.event.customer_id:
                if current is not None:
                    yield current
                current = CustomerChange(customer_id=change.event.customer_id)
            current.add(change)
    if current is not None:
        yield current


def pages_of_calls(*, terms: CorrectionTerms) -> Iterator[list[UsageEvent]]:
    """The calls in the period that cost something or should, ordered by customer. What failed is not charged."""
    calls = calls_in_period(model=terms.model, since=terms.since, until=terms.until).order_by("customer_id", "pk")
    page = list(calls[:CALLS_PER_PAGE])
    while page:
        yield page
        page = _calls_after(page[-1], calls=calls) if len(page) == CALLS_PER_PAGE else []


def calls_in_period(*, model: str, since: datetime, until: datetime) -> QuerySet[UsageEvent]:
    """The model's calls that were served from `since` to before `until`."""
    return (
        UsageEvent.objects.filter(model=model, occurred_at__gte=since, occurred_at__lt=until)
        .exclude(status=UsageStatus.FAILED)
        .exclude(basis=Basis.NOTHING)
    )


def changes_of_calls(*, events: Sequence[UsageEvent], price: PricingConfig) -> list[CallChange]:
    """What a price changes for some calls, counting from what earlier corrections have made of them."""
    earlier: dict[int, list[CorrectedUsage]] = {}
    for corrected in CorrectedUsage.objects.filter(usage_event__in=[event.pk for event in events]).order_by("entry_id"):
        earlier.setdefault(corrected.usage_event_id, []).append(corrected)
    entry_ids = [event.entry_id for event in events if event.entry_id]
    entry_ids += [row.entry_id for rows in earlier.values() for row in rows if row.amount < 0]
    forgiven = written_off(entry_ids=entry_ids)
    return [_change(event, earlier.get(event.pk, []), price=price, forgiven=forgiven) for event in events]


def takings_of(*, event_ids: Sequence[int]) -> dict[int, list[int]]:
    """The entries by which corrections charged more for calls, by call, oldest first."""
    entries: dict[int, list[int]] = {}
    rows = CorrectedUsage.objects.filter(usage_event__in=event_ids, amount__lt=0).order_by("entry_id")
    for event_id, entry_id in rows.values_list("usage_event_id", "entry_id"):
        entries.setdefault(event_id, []).append(entry_id)
    return entries


def written_off(*, entry_ids: Sequence[int]) -> dict[int, Decimal]:
    """How much of the debt that outgoing entries left was written off, by entry."""
    rows = GrantAllocation.objects.filter(entry_id__in=entry_ids, kind=AllocationKind.WRITE_OFF)
    return {row["entry_id"]: -row["total"] for row in rows.values("entry_id").annotate(total=Sum("amount")).order_by()}


def pages_of_corrected(*, correction: UsageCorrection) -> Iterator[list[CorrectedUsage]]:
    """What a correction changed, in pages."""
    rows = CorrectedUsage.objects.filter(correction=correction).select_related("usage_event").order_by("pk")
    page = list(rows[:CALLS_PER_PAGE])
    while page:
        yield page
        page = list(rows.filter(pk__gt=page[-1].pk)[:CALLS_PER_PAGE])


def later_correction(*, correction: UsageCorrection) -> UsageCorrection | None:
    """The newest correction that changed calls of the same period after this one and still stands."""
    later = UsageCorrection.objects.filter(
        model=correction.model,
        pk__gt=correction.pk,
        since__lt=correction.until,
        until__gt=correction.since,
        reverses__isnull=True,
        reversed_by__isnull=True,
        corrected__isnull=False,
    )
    return later.order_by("-pk").first()


def sums_of_correction(*, correction: UsageCorrection) -> CorrectionSums:
    """What a correction has moved so far."""
    rows = CorrectedUsage.objects.filter(correction=correction)
    sums = rows.aggregate(total=Sum("amount"))
    calls = rows.count()
    return CorrectionSums(
        customers=rows.values("usage_event__customer_id").distinct().count(),
        calls=calls,
        changed_calls=calls,
        difference=sums["total"] or ZERO,
    )


def name_customers(*, customer_ids: Sequence[int]) -> dict[int, BillingCustomer]:
    """Customers by id, with their users, so that they can be named."""
    return BillingCustomer.objects.select_related("user").in_bulk(customer_ids)


def _calls_after(last: UsageEvent, *, calls: QuerySet[UsageEvent]) -> list[UsageEvent]:
    """The next page: the rest of the last call's customer, then the customers after it, each by the index."""
    page = list(calls.filter(customer_id=last.customer_id, pk__gt=last.pk)[:CALLS_PER_PAGE])
    if len(page) < CALLS_PER_PAGE:
        page += calls.filter(customer_id__gt=last.customer_id)[: CALLS_PER_PAGE - len(page)]
    return page


def _change(
    event: UsageEvent, earlier: Sequence[CorrectedUsage], *, price: PricingConfig, forgiven: dict[int, Decimal]
) -> CallChange:
    tokens = Tokens(input=event.input_tokens, cached=event.cached_tokens, output=event.output_tokens)
    charged = event.credits - sum((row.amount for row in earlier), ZERO)
    right = charge_for_tokens(version=price, tokens=tokens).credits
    difference = charged - right
    taking = [row.entry_id for row in earlier if row.amount < 0]
    # A call that cost nothing at first has no entry of its own; what a correction took for it first stands in.
    root = event.entry_id or (taking[0] if taking else None)
    entry_ids = {*taking, *([root] if root else [])}
    if difference > 0:
        difference = max(ZERO, difference - sum((forgiven.get(entry_id, ZERO) for entry_id in entry_ids), ZERO))
    return CallChange(
        event=event,
        charged=charged,
        right=right,
        difference=difference,
        corrects_id=root,
        on_top_ids=tuple(entry_id for entry_id in taking if entry_id != root),
    )
