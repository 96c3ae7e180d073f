"""What usage adds up to: by day, by model, by key. The sums are those of the ledger's entries. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import CharField, Count, F, Q, Sum, Value
from django.db.models.functions import Coalesce, NullIf, TruncDate

from accounts.models import ApiKey
from billing.money import ZERO
from usage.selectors.usage_filter import CALL, CORRECTION, DIRECT, UsageFilter, choose_calls, choose_entries

BY_DAY, BY_MODEL, BY_KEY = "day", "model", "key"
_COLUMN: Final = {BY_MODEL: "what", BY_KEY: "by_key"}


@dataclass(slots=True, kw_only=True)
class UsageSum:
    """Credits and tokens of a day, a model, a key, or of all. `credits` is `charged + direct + corrected`."""

    name: str = ""
    day: date | None = None
    calls: int = 0
    not_charged: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    charged: Decimal = ZERO
    direct: Decimal = ZERO
    direct_count: int = 0
    corrected: Decimal = ZERO
    correction_count: int = 0
    estimated: Decimal = ZERO
    charged_of_estimated: Decimal = ZERO

    @property
    def credits(self) -> Decimal:
        return self.charged + self.direct + self.corrected

    @property
    def all_calls(self) -> int:
        return self.calls + self.not_charged

    @property
    def is_empty(self) -> bool:
        return not (self.all_calls or self.direct_count or self.correction_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSums:
    """The sums of a filter: one for each day of the period, one for each group, and the total."""

    days: list[UsageSum]
    groups: list[UsageSum]
    total: UsageSum


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUsage:
    """What cost most lately, and what each day cost."""

    days: list[UsageSum] = field(default_factory=list)
    models: list[UsageSum] = field(default_factory=list)
    keys: list[UsageSum] = field(default_factory=list)


def sum_usage(*, chosen: UsageFilter, by: str) -> UsageSums:
    """The sums by day, and by model or key where `by` asks for it, the dearest first. Two queries."""
    total = UsageSum()
    days = {day: UsageSum(day=day) for day in _days_of(chosen)}
    groups: dict[str, UsageSum] = {}
    for row in [*_charged_rows(chosen, by=by), *_not_charged_rows(chosen, by=by)]:
        group = groups.setdefault(row.get("name", ""), UsageSum(name=row.get("name", "")))
        for target in (total, group, days.setdefault(row["day"], UsageSum(day=row["day"]))):
            _add(target, row)
    ranked = sorted(groups.values(), key=lambda group: (-group.credits, group.name))
    return UsageSums(days=list(days.values()), groups=[] if by == BY_DAY else ranked, total=total)


def top_usage(*, chosen: UsageFilter, limit: int = 5) -> TopUsage:
    """Each day's sum, and the models and keys that cost most. Two queries."""
    rows = (
        choose_entries(chosen)
        .annotate(day=TruncDate("occurred_at", tzinfo=UTC))
        .values("day", "what", "by_key")
        .annotate(credits=Sum(-F("amount")))
        .order_by()
    )
    days: dict[object, UsageSum] = {day: UsageSum(day=day) for day in _days_of(chosen)}
    models: dict[object, UsageSum] = {}
    keys: dict[object, UsageSum] = {}
    for row in rows:
        days[row["day"]].charged += row["credits"]
        for sums, name in ((models, row["what"]), (keys, row["by_key"])):
            sums.setdefault(name, UsageSum(name=name)).charged += row["credits"]
    return TopUsage(
        days=list(days.values()),
        models=_dearest(models.values(), limit),
        keys=_dearest(keys.values(), limit),
    )


def find_keys(*, key_ids: Iterable[str]) -> dict[str, ApiKey]:
    """The keys of these ids."""
    return {key.key_id: key for key in ApiKey.objects.filter(key_id__in=[name for name in key_ids if name])}


def _charged_rows(chosen: UsageFilter, *, by: str) -> list[dict[str, Any]]:
    if chosen.outcome == "not_charged":
        return []
    entries = choose_entries(chosen).annotate(day=TruncDate("occurred_at", tzinfo=UTC))
    if by in _COLUMN:
        entries = entries.annotate(name=F(_COLUMN[by]))
    has_estimate = Q(usage_event__estimated_credits__isnull=False)
    rows = (
        entries.values("day", "sort", *(["name"] if by in _COLUMN else []))
        .annotate(
            credits=Sum(-F("amount")),
            count=Count("pk"),
            input=Sum("usage_event__input_tokens"),
            cached=Sum("usage_event__cached_tokens"),
            output=Sum("usage_event__output_tokens"),
            estimated=Sum("usage_event__estimated_credits"),
            charged_of_estimated=Sum("usage_event__credits", filter=has_estimate),
        )
        .order_by()
    )
    return list(rows)


def _not_charged_rows(chosen: UsageFilter, *, by: str) -> list[dict[str, Any]]:
    if chosen.outcome == "charged":
        return []
    calls = choose_calls(chosen).filter(entry__isnull=True).annotate(day=TruncDate("occurred_at", tzinfo=UTC))
    if by == BY_MODEL:
        calls = calls.annotate(name=Coalesce(NullIf("model", Value("")), "operation", output_field=CharField()))
    elif by == BY_KEY:
        calls = calls.annotate(name=Coalesce("api_key__key_id", Value(""), output_field=CharField()))
    rows = calls.values("day", *(["name"] if by in _COLUMN else [])).annotate(not_charged=Count("pk")).order_by()
    return list(rows)


def _add(target: UsageSum, row: dict[str, Any]) -> None:
    if "not_charged" in row:
        target.not_charged += row["not_charged"]
    elif row["sort"] == DIRECT:
        target.direct += row["credits"]
        target.direct_count += row["count"]
    elif row["sort"] == CORRECTION:
        target.corrected += row["credits"]
        target.correction_count += row["count"]
    elif row["sort"] == CALL:
        target.charged += row["credits"]
        target.calls += row["count"]
        target.input_tokens += row["input"] or 0
        target.cached_tokens += row["cached"] or 0
        target.output_tokens += row["output"] or 0
        target.estimated += row["estimated"] or ZERO
        target.charged_of_estimated += row["charged_of_estimated"] or ZERO


def _days_of(chosen: UsageFilter) -> Iterable[date]:
    first, end = chosen.since.astimezone(UTC).date(), chosen.until.astimezone(UTC).date()
    return (first + timedelta(days=offset) for offset in range((end - first).days))


def _dearest(sums: Iterable[UsageSum], limit: int) -> list[UsageSum]:
    return sorted((group for group in sums if group.credits > 0), key=lambda group: (-group.credits, group.name))[
        :limit
    ]
