"""What staff see of a customer at one glance: the balance, and the newest rows of each list with a link to all."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Min, Sum
from django.http import HttpRequest
from django.utils import timezone

from billing.admin.base import NOTHING, show_credits, show_money
from billing.admin.customer_money_panels import build_money_panels
from billing.admin.customer_plan_panels import build_plan_panels
from billing.admin.customer_staff_panels import build_staff_panels
from billing.admin.panels import NEWEST, Figure, Panel, build_added_panels, link_to_page, make_panel, when
from billing.admin.top_ups import build_top_up_panel
from billing.models import BillingCustomer, CreditGrant, CreditHold, LedgerEntry
from billing.selectors.balances import Balance, read_balance, read_category_balances
from billing.selectors.entries import page_of_entries


def build_panels(*, customer: BillingCustomer, request: HttpRequest) -> dict[str, Any]:
    """Figures and the panels that this member of staff may see; each list costs one query however long it is."""
    now = timezone.now()
    balance = read_balance(customer_id=customer.pk, now=now)
    categories = read_category_balances(customer_id=customer.pk, now=now)
    panels = [
        _entries(customer),
        _kinds(customer),
        _grants(customer),
        _holds(customer),
        *build_added_panels(customer),
        *build_money_panels(customer=customer),
        build_top_up_panel(customer=customer),
        *build_plan_panels(customer=customer),
        *build_staff_panels(customer=customer, may_lift=request.user.has_perm("billing.freeze_customer")),
    ]
    return {
        "balance": balance,
        "figures": _figures(balance) if balance else [],
        "categories": [
            Figure(
                label=f"{category.category} credits",
                value=show_credits(category.remaining),
                note=f"next expiry {when(category.next_expiry_at)}" if category.next_expiry_at else "",
            )
            for category in categories
        ],
        "panels": [panel for panel in panels if request.user.has_perm(panel.permission)],
    }


def _figures(balance: Balance) -> list[Figure]:
    debt = f"debt of {show_credits(balance.debt)}" if balance.debt else ""
    overdraft = f"with {show_credits(balance.overdraft_limit)} overdraft" if balance.overdraft_limit else ""
    return [
        Figure(label="Available", value=show_credits(balance.available), note=overdraft),
        Figure(label="Posted", value=show_credits(balance.posted), note=debt),
        Figure(label="Held", value=show_credits(balance.held)),
    ]


def _of(customer: BillingCustomer) -> dict[str, object]:
    return {"customer__id__exact": customer.pk}


def _entries(customer: BillingCustomer) -> Panel:
    page = page_of_entries(customer_id=customer.pk, limit=NEWEST)
    rows = [
        [
            link_to_page(entry, when(entry.occurred_at)),
            entry.get_kind_display(),
            show_credits(entry.amount, signed=True),
            show_credits(entry.balance_after),
            entry.description or NOTHING,
        ]
        for entry in page.entries
    ]
    return make_panel(
        title="Latest entries",
        model=LedgerEntry,
        headers=["Happened", "Kind", "Amount", "Balance", "Description"],
        rows=rows,
        empty="Credits have neither come in nor gone out.",
        filters=_of(customer),
    )


def _kinds(customer: BillingCustomer) -> Panel:
    """What remains by how it came in; what has lapsed is left out."""
    grants = CreditGrant.objects.filter(customer=customer, is_open=True).exclude(expires_at__lte=timezone.now())
    sums = grants.values("kind").annotate(left=Sum("remaining"), number=Count("pk"), next=Min("expires_at"))
    labels = dict(CreditGrant._meta.get_field("kind").flatchoices)
    rows = [
        [
            labels[each["kind"]],
            show_credits(each["left"]),
            each["number"],
            when(each["next"]) if each["next"] else "never",
        ]
        for each in sums.order_by("kind")
    ]
    return make_panel(
        title="Balance by kind of grant",
        model=CreditGrant,
        headers=["Came in as", "Remaining", "Grants", "Next expiry"],
        rows=rows,
        empty="Nothing is left of any grant.",
    )


def _grants(customer: BillingCustomer) -> Panel:
    grants = CreditGrant.objects.filter(customer=customer, is_open=True).order_by("priority", "expires_at", "pk")
    rows = [
        [
            link_to_page(grant, when(grant.created_at)),
            grant.get_kind_display(),
            f"{show_credits(grant.remaining)} of {show_credits(grant.amount)}",
            show_money(grant.cost_minor or None, grant.currency),
            when(grant.expires_at) if grant.expires_at else "never",
        ]
        for grant in grants[:NEWEST]
    ]
    return make_panel(
        title="Open grants, in the order they are spent",
        model=CreditGrant,
        headers=["Came in", "Kind", "Remaining", "Paid", "Expires"],
        rows=rows,
        empty="No grant is open.",
        filters=_of(customer),
    )


def _holds(customer: BillingCustomer) -> Panel:
    holds = CreditHold.objects.filter(customer=customer).order_by("-pk")
    rows = [
        [
            link_to_page(hold, when(hold.placed_at)),
            show_credits(hold.amount),
            hold.get_state_display(),
            show_credits(hold.settled_amount),
            hold.description or NOTHING,
        ]
        for hold in holds[:NEWEST]
    ]
    return make_panel(
        title="Latest holds",
        model=CreditHold,
        headers=["Placed", "Amount", "State", "Settled with", "Description"],
        rows=rows,
        empty="Nothing was ever set aside for work in progress.",
        filters=_of(customer),
    )
