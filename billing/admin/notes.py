"""Notes of staff about customers, to look at; they are written on the customer's page, and stay as they are."""

from __future__ import annotations

from django.contrib import admin

from billing.admin.base import shown
from billing.admin.ledger import OfCustomerAdmin
from billing.models import CustomerNote


@admin.register(CustomerNote)
class CustomerNoteAdmin(OfCustomerAdmin):
    """What staff want each other to know."""

    list_display = ("created_at", "customer_shown", "author_shown", "text_shown")
    list_display_links = ("created_at",)
    list_select_related = ("customer__user", "author")
    ordering = ("-created_at", "-pk")
    fields = readonly_fields = ("customer_shown", "author_shown", "created_at", "text")

    @shown("Author")
    def author_shown(self, note: CustomerNote) -> str:
        return note.author.email

    @shown("Note")
    def text_shown(self, note: CustomerNote) -> str:
        return str(note)
