"""What the lists of prices add to their rows: which version holds now, and what the model or operation brought in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.views import ChangeList

from billing.models import OperationPrice, PricingConfig
from billing.selectors.margins import Kind, Margin, read_margins

MARGIN_DAYS: Final = 30
IN_FORCE, WITHDRAWN, SCHEDULED, EARLIER = "In force", "Withdrawn", "Scheduled", "Earlier"
STATE_LABELS: Final = {IN_FORCE: "success", WITHDRAWN: "warning", SCHEDULED: "info", EARLIER: "primary"}


def in_force(queryset: QuerySet[Any], *, name: str, at: datetime) -> QuerySet[Any]:
    """Of each thing the version that holds at a moment."""
    started = queryset.filter(effective_from__lte=at)
    newer = queryset.model._default_manager.filter(
        **{name: OuterRef(name)}, effective_from__gt=OuterRef("effective_from"), effective_from__lte=at
    )
    return started.filter(~Exists(newer))


def mark_rows(rows: Iterable[Any], *, model: type[PricingConfig] | type[OperationPrice], kind: Kind) -> None:
    """Give each version its `state`, and the one that holds now its thing's `margin`: three queries for a page."""
    now, rows = timezone.now(), list(rows)
    names = {getattr(row, kind) for row in rows}
    holding = set(
        in_force(model._default_manager.filter(**{f"{kind}__in": names}), name=kind, at=now).values_list(
            "pk", flat=True
        )
    )
    margins = read_margins(kind=kind, names=names, since=now - timedelta(days=MARGIN_DAYS))
    for row in rows:
        row.state = _state(row, holds=row.pk in holding, now=now)
        row.margin = margins.get(getattr(row, kind), Margin()) if row.pk in holding else None


def _state(row: PricingConfig | OperationPrice, *, holds: bool, now: datetime) -> str:
    if holds:
        return IN_FORCE if row.is_offered else WITHDRAWN
    return SCHEDULED if row.effective_from > now else EARLIER


class PriceChangeList(ChangeList):  # type: ignore[misc]
    """A list whose rows are marked after they are chosen."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)  # type: ignore[has-type]  # set above, in the library without types
        self.result_list = rows
        mark_rows(rows, model=self.model, kind=self.model_admin.kind.name)


class InForceFilter(admin.SimpleListFilter):
    """By what holds now."""

    title, parameter_name = "version", "version"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("in_force", "Holds now"), ("scheduled", "Starts later"), ("earlier", "Was followed by another")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now, name = timezone.now(), "model" if queryset.model is PricingConfig else "operation"
        match self.value():
            case "in_force":
                return in_force(queryset, name=name, at=now)
            case "scheduled":
                return queryset.filter(effective_from__gt=now)
            case "earlier":
                return queryset.filter(effective_from__lte=now).exclude(
                    pk__in=in_force(queryset.model._default_manager.all(), name=name, at=now).values("pk")
                )
        return queryset
