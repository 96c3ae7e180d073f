"""What the panels of a page are made of: a list's newest rows, with a link to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString

from billing.admin.base import NOTHING, link, list_address, page_address
from billing.models import BillingCustomer

NEWEST = 8  # rows of a panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number with its name."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The newest rows of one list, and where all of them are; `permission` names who may see them."""

    title: str
    permission: str
    table: dict[str, Any]
    empty: str
    address: str = ""


PanelBuilder = Callable[[BillingCustomer], Sequence[Panel]]
_builders: list[PanelBuilder] = []


def add_panels(build: PanelBuilder) -> None:
    """Let an app above show panels on a customer's page, too; called once, when its admin is loaded."""
    _builders.append(build)


def build_added_panels(customer: BillingCustomer) -> list[Panel]:
    """The panels of the apps above."""
    return [panel for build in _builders for panel in build(customer)]


def make_panel(
    *,
    title: str,
    model: type[Model],
    headers: Sequence[str],
    rows: Sequence[Sequence[Any]],
    empty: str,
    filters: Mapping[str, object] | None = None,
) -> Panel:
    """A panel of a model's rows; `filters` are the query of the list with all of them, None where there is none."""
    opts = model._meta
    return Panel(
        title=title,
        permission=f"{opts.app_label}.view_{opts.model_name}",
        table={"headers": headers, "rows": rows},
        empty=empty,
        address=list_address(model, filters) if filters else "",
    )


def link_to_page(row: Model, text: object) -> SafeString:
    """The text as a link to the row's page."""
    return link(page_address(row), text)


def when(moment: datetime | None) -> str:
    """The moment to the minute, a dash where there is none."""
    return date_format(timezone.localtime(moment), "j M Y, H:i") if moment else NOTHING
