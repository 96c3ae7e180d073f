"""The audit log: what staff did, with what was before and after. To look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import User
from billing.admin.base import NOTHING, ReadOnlyAdmin, link_to, shown
from billing.admin.search import customer_ids_for
from billing.models import AuditEntry

_LINE = "align-top border-t border-base-200 px-3 py-2 text-left dark:border-base-800"
_ROW = (
    f'<tr><th scope="row" class="font-medium {_LINE}">{{}}</th>'
    f'<td class="break-words {_LINE}">{{}}</td><td class="break-words {_LINE}">{{}}</td></tr>'
)
_TABLE = (
    '<table class="w-full"><thead><tr><th scope="col" class="px-3 py-2 text-left">Field</th>'
    '<th scope="col" class="px-3 py-2 text-left">Before</th><th scope="col" class="px-3 py-2 text-left">After</th>'
    "</tr></thead><tbody>{}</tbody></table>"
)


class ActorFilter(admin.SimpleListFilter):
    """By who did it: those who are staff, not everybody who has an account."""

    title, parameter_name = "actor", "actor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        people = User.objects.filter(is_staff=True).order_by("email")
        return [("system", "The system"), *((str(person.pk), person.email) for person in people)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        chosen = self.value()
        if chosen == "system":
            return queryset.filter(actor=None)
        return queryset.filter(actor_id=int(chosen)) if chosen and chosen.isdecimal() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Acts of staff, newest first."""

    list_display = ("at", "actor_shown", "action", "target_shown", "customer_shown", "reason", "address")
    list_display_links = ("at",)
    list_filter = (
        ActorFilter,
        ("action", admin.AllValuesFieldListFilter),
        ("target_type", admin.AllValuesFieldListFilter),
        ("at", admin.DateFieldListFilter),
    )
    list_select_related = ("actor", "customer__user")
    search_fields = ("target_id",)
    search_help_text = "E-mail address of a customer or of staff, id of a customer's, id or name of what was changed"
    ordering = ("-at", "-pk")
    fields = readonly_fields = (
        "at",
        "actor_shown",
        "action",
        "target_shown",
        "target_type",
        "target_id",
        "customer_shown",
        "changes_shown",
        "reason",
        "address",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """By customer, by who did it, or by the id or the name of what it was done to."""
        term = search_term.strip()
        if not term:
            return queryset, False
        named = Q(target_id=term) | Q(target_label__iexact=term) | Q(actor__email__iexact=term)
        return queryset.filter(named | Q(customer__in=customer_ids_for(term))), False

    @shown("Actor", ordering="actor__email")
    def actor_shown(self, entry: AuditEntry) -> str:
        return entry.actor.email if entry.actor else "The system"

    @shown("Target")
    def target_shown(self, entry: AuditEntry) -> str:
        return entry.target_label or NOTHING

    @shown("Customer")
    def customer_shown(self, entry: AuditEntry) -> SafeString | str:
        return link_to(entry.customer)

    @shown("Changes")
    def changes_shown(self, entry: AuditEntry) -> SafeString | str:
        names = {**entry.before, **entry.after}
        rows = [(name, _text(entry.before, name), _text(entry.after, name)) for name in names]
        return format_html(_TABLE, format_html_join("", _ROW, rows)) if rows else NOTHING


def _text(side: dict[str, Any], name: str) -> str:
    """One side of a change, for people."""
    value = side.get(name)
    if value is None or value in ("", []):
        return NOTHING
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
