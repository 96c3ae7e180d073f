"""Commit summaries, to look at: what became of each, without what customers pasted."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from billing.admin.base import link_to, show_credits, shown
from billing.admin.ledger import OfCustomerAdmin
from usage.models import CommitSummary

_STATE_COLOURS = {"Done": "success", "Failed, not charged": "danger"}


@admin.register(CommitSummary)
class CommitSummaryAdmin(OfCustomerAdmin):
    """Summaries, newest first. The diff and the text are the customer's own and are not shown."""

    list_display = ("created_at", "customer_shown", "title", "model", "state_shown", "charged_shown", "tries")
    list_filter = ("state", "model", ("created_at", admin.DateFieldListFilter))
    list_display_links = ("created_at",)
    list_select_related = ("customer__user", "usage_event")
    ordering = ("-pk",)
    own_names = ("public_id", "commit", "fingerprint")
    search_help_text = "E-mail address or id of the customer, id of the summary or of the commit"
    fields = readonly_fields = (
        "public_id",
        "customer_shown",
        "key_shown",
        "title",
        "repository",
        "commit",
        "files_changed",
        "lines_added",
        "lines_removed",
        "model",
        "state_shown",
        "failure_code",
        "failure",
        "estimated_shown",
        "charged_shown",
        "usage_shown",
        "tries",
        "created_at",
        "claimed_at",
        "ended_at",
    )

    @shown("State", ordering="state", label=_STATE_COLOURS)
    def state_shown(self, summary: CommitSummary) -> str:
        return str(summary.get_state_display())

    @shown("Estimated")
    def estimated_shown(self, summary: CommitSummary) -> str:
        return show_credits(summary.estimated_credits)

    @shown("Charged")
    def charged_shown(self, summary: CommitSummary) -> str:
        return show_credits(summary.usage_event.credits if summary.usage_event else None)

    @shown("Usage")
    def usage_shown(self, summary: CommitSummary) -> SafeString | str:
        return link_to(summary.usage_event)

    @shown("API key")
    def key_shown(self, summary: CommitSummary) -> SafeString | str:
        return link_to(summary.api_key)
