"""The ledger, to look at: entries, grants, allocations, uncovered parts, balances and holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator

from billing.admin.base import ReadOnlyAdmin, ReadOnlyInline, customer_of, link_to, show_credits, show_money, shown
from billing.admin.exports import ExportsRows
from billing.admin.search import FoundByCustomer
from billing.models import CreditBalance, CreditGrant, CreditHold, GrantAllocation, LedgerEntry, UncoveredPart
from billing.selectors.export_sheets import LEDGER


class OfCustomerAdmin(FoundByCustomer, ReadOnlyAdmin):
    """Rows that belong to a customer."""

    list_select_related: Sequence[str] = ("customer__user",)

    @shown("Customer")
    def customer_shown(self, row: Any) -> SafeString | str:
        return customer_of(row)


class AllocationInline(ReadOnlyInline):
    """Which grants an entry drew on."""

    model = GrantAllocation
    fk_name = "entry"
    verbose_name_plural = "Allocations: which grants it drew on"
    fields = readonly_fields = ("kind", "amount", "grant_shown", "cause_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[GrantAllocation]:
        rows: QuerySet[GrantAllocation] = super().get_queryset(request)
        return rows.select_related("grant", "cause").order_by("pk")

    @shown("Grant")
    def grant_shown(self, row: GrantAllocation) -> SafeString | str:
        return link_to(row.grant)

    @shown("Written by")
    def cause_shown(self, row: GrantAllocation) -> SafeString | str:
        return link_to(row.cause)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ExportsRows, OfCustomerAdmin):
    """Every movement of credits."""

    list_display = ("occurred_at", "customer_shown", "kind", "amount_shown", "balance_shown", "description", "sequence")
    list_filter = ("kind",)
    list_display_links = ("occurred_at",)
    ordering = ("-pk",)
    paginator = InfinitePaginator  # a count of all entries would be read for each page
    own_names = ("idempotency_key", "hold__public_id")
    payment_path = "payment"
    export_sheets = (LEDGER,)
    inlines = (AllocationInline,)
    fields = (
        "customer_shown",
        "sequence",
        "kind",
        "amount_shown",
        "balance_shown",
        "description",
        "occurred_at",
        "created_at",
        "idempotency_key",
        "payment",
        "hold",
        "corrects",
        "is_late",
        "source_type",
        "source_id",
        "request_hash",
    )
    readonly_fields = fields

    @shown("Amount", ordering="amount")
    def amount_shown(self, entry: LedgerEntry) -> str:
        return show_credits(entry.amount, signed=True)

    @shown("Balance after")
    def balance_shown(self, entry: LedgerEntry) -> str:
        return show_credits(entry.balance_after)


@admin.register(CreditGrant)
class CreditGrantAdmin(OfCustomerAdmin):
    """Lots of credits that came in, and what remains of each."""

    list_display = (
        "created_at",
        "customer_shown",
        "kind",
        "amount_shown",
        "remaining_shown",
        "cost_shown",
        "expires_at",
        "is_open",
    )
    list_filter = ("is_open", "kind")
    list_display_links = ("created_at",)
    ordering = ("-pk",)
    own_names = ("entry__idempotency_key",)
    payment_path = "payment"
    fields = (
        "customer_shown",
        "entry",
        "payment",
        "kind",
        "amount_shown",
        "remaining_shown",
        "priority",
        "expires_at",
        "is_open",
        "cost_shown",
        "created_at",
    )
    readonly_fields = fields

    @shown("Amount", ordering="amount")
    def amount_shown(self, grant: CreditGrant) -> str:
        return show_credits(grant.amount)

    @shown("Remaining", ordering="remaining")
    def remaining_shown(self, grant: CreditGrant) -> str:
        return show_credits(grant.remaining)

    @shown("Paid")
    def cost_shown(self, grant: CreditGrant) -> str:
        return show_money(grant.cost_minor or None, grant.currency)


@admin.register(GrantAllocation)
class GrantAllocationAdmin(FoundByCustomer, ReadOnlyAdmin):
    """Which grant an outgoing entry drew on."""

    list_display = ("id", "customer_shown", "kind", "amount_shown", "entry_shown", "grant_shown")
    list_filter = ("kind",)
    list_select_related = ("entry__customer__user", "grant")
    ordering = ("-pk",)
    paginator = InfinitePaginator
    customer_path = "entry__customer"
    payment_path = "entry__payment"
    own_names = ("entry__idempotency_key",)
    fields = readonly_fields = ("customer_shown", "kind", "amount_shown", "entry_shown", "grant_shown", "cause")

    @shown("Customer")
    def customer_shown(self, row: GrantAllocation) -> SafeString | str:
        return customer_of(row.entry)

    @shown("Amount", ordering="amount")
    def amount_shown(self, row: GrantAllocation) -> str:
        return show_credits(row.amount, signed=True)

    @shown("Entry")
    def entry_shown(self, row: GrantAllocation) -> SafeString | str:
        return link_to(row.entry)

    @shown("Grant")
    def grant_shown(self, row: GrantAllocation) -> SafeString | str:
        return link_to(row.grant)


@admin.register(UncoveredPart)
class UncoveredPartAdmin(OfCustomerAdmin):
    """Debts by the entry that caused them."""

    list_display = ("entry_shown", "customer_shown", "amount_shown", "is_open")
    list_display_links = ("amount_shown",)  # the others are links of their own
    list_filter = ("is_open",)
    list_select_related = ("customer__user", "entry")
    own_names = ("entry__idempotency_key",)
    payment_path = "entry__payment"
    fields = readonly_fields = ("entry_shown", "customer_shown", "amount_shown", "is_open")

    @shown("Entry")
    def entry_shown(self, part: UncoveredPart) -> SafeString | str:
        return link_to(part.entry)

    @shown("Uncovered", ordering="amount")
    def amount_shown(self, part: UncoveredPart) -> str:
        return show_credits(part.amount)


@admin.register(CreditBalance)
class CreditBalanceAdmin(OfCustomerAdmin):
    """What each customer has, as the ledger keeps it."""

    list_display = ("customer_shown", "posted_shown", "held_shown", "next_expiry_at", "frozen_at")
    list_filter = (("frozen_at", admin.EmptyFieldListFilter),)
    list_display_links = ("posted_shown",)
    ordering = ("-posted",)
    fields = (
        "customer_shown",
        "posted_shown",
        "held_shown",
        "overdraft_limit",
        "last_sequence",
        "next_expiry_at",
        "frozen_at",
        "frozen_reason",
    )
    readonly_fields = fields

    @shown("Posted", ordering="posted")
    def posted_shown(self, balance: CreditBalance) -> str:
        return show_credits(balance.posted)

    @shown("Held", ordering="held")
    def held_shown(self, balance: CreditBalance) -> str:
        return show_credits(balance.held)


@admin.register(CreditHold)
class CreditHoldAdmin(OfCustomerAdmin):
    """Credits set aside for work in progress."""

    list_display = (
        "placed_at",
        "public_id",
        "customer_shown",
        "amount_shown",
        "state_shown",
        "settled_shown",
        "expires_at",
    )
    list_filter = ("state", "is_late")
    list_display_links = ("placed_at", "public_id")
    ordering = ("-pk",)
    own_names = ("public_id", "idempotency_key")
    fields = (
        "public_id",
        "customer_shown",
        "amount_shown",
        "state_shown",
        "settled_shown",
        "is_late",
        "description",
        "placed_at",
        "expires_at",
        "ended_at",
        "placed_by",
        "idempotency_key",
        "request_hash",
    )
    readonly_fields = fields

    @shown("Amount", ordering="amount")
    def amount_shown(self, hold: CreditHold) -> str:
        return show_credits(hold.amount)

    @shown("Settled with")
    def settled_shown(self, hold: CreditHold) -> str:
        return show_credits(hold.settled_amount)

    @shown(
        "State",
        ordering="state",
        label={"Open": "info", "Settled": "success", "Released": "primary", "Expired": "warning"},
    )
    def state_shown(self, hold: CreditHold) -> str:
        return hold.get_state_display()
