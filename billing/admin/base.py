"""What the pages of staff share: read-only pages, and how credits, money and links are shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.contrib.admin import SimpleListFilter
from django.db.models import Model, QuerySet, TextChoices
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display

from accounts.secretless_search import SecretlessSearch
from billing.money import format_credits, format_money

NOTHING = "–"
F = TypeVar("F", bound=Callable[..., Any])


def shown(description: str, *, ordering: Any = None, label: Mapping[str, str] | None = None) -> Callable[[F], F]:
    """A column or field that a method computes; `label` gives its values colours. Unfold's decorator, with types."""
    decorate: Callable[[F], F] = display(description=description, ordering=ordering, label=label)
    return decorate


def page_action(description: str, *, url_path: str, permissions: Sequence[str]) -> Callable[[F], F]:
    """A button on a row's page and the page behind it. Permissions name `has_…_permission` methods."""
    decorate: Callable[[F], F] = action(description=description, url_path=url_path, permissions=permissions)
    return decorate


class ReadOnlyAdmin(SecretlessSearch, ModelAdmin):  # type: ignore[misc]
    """Pages to look at: nobody adds, changes or deletes here, superusers included."""

    show_full_result_count = False
    list_per_page = 50
    actions: Sequence[str] | None = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class StateFilter(SimpleListFilter):
    """By state, where the column is computed by the database: its choices, the `states`, have to be told."""

    title, parameter_name = "state", "state"
    states: type[TextChoices]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, state.label) for state in self.states]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


class ReadOnlyInline(TabularInline):  # type: ignore[misc]
    """Rows beneath a page, twenty at a time."""

    per_page = 20
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def show_credits(amount: Decimal | None, *, signed: bool = False) -> str:
    """Credits for people, a dash where there are none to speak of."""
    return NOTHING if amount is None else format_credits(amount, signed=signed)


def show_money(amount_minor: int | None, currency: str) -> str:
    return (
        NOTHING if amount_minor is None or not currency else format_money(amount_minor=amount_minor, currency=currency)
    )


def link_to(target: Model | None) -> SafeString | str:
    """A link to the target's own page in the admin."""
    if target is None:
        return NOTHING
    return link(page_address(target), target)


def link(address: str, text: object) -> SafeString:
    """A link that looks like one in the admin's tables."""
    return format_html('<a class="font-medium text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, text)


def page_address(target: Model) -> str:
    return reverse(f"admin:{target._meta.app_label}_{target._meta.model_name}_change", args=[target.pk])


def list_address(model: type[Model], filters: Mapping[str, object] | None = None) -> str:
    """The address of a model's list, filtered."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address


def show_json(text: str) -> SafeString | str:
    """A body of JSON with its lines broken; what cannot be read as JSON is shown as it is."""
    try:
        shown = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        shown = text
    return show_preformatted(shown)


def show_preformatted(text: str) -> SafeString | str:
    if not text:
        return NOTHING
    return format_html('<pre class="code-block">{}</pre>', text)


def customer_of(row: Any) -> SafeString | str:
    """The link to a row's customer; lists select the customer's user with it."""
    return link_to(row.customer)
