"""What staff see of a customer at one glance: the balance, and the newest rows of each list with a link to all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.utils import timezone
from django.utils.formats import date_format

from billing.admin.base import NOTHING, link, link_to, list_address, page_address, show_credits, show_money
from billing.models import BillingCustomer, CreditGrant, CreditHold, LedgerEntry, Payment, PaymentState
from billing.selectors.balances import Balance, read_balance, read_category_balances
from billing.selectors.entries import page_of_entries

_ROWS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number with its name."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The newest rows of one list, and where all of them are."""

    title: str
    address: str
    table: dict[str, Any]


def build_panels(*, customer: BillingCustomer) -> dict[str, Any]:
    """Figures and panels for the template; each list costs one query however long it is."""
    now = timezone.now()
    balance = read_balance(customer_id=customer.pk, now=now)
    categories = read_category_balances(customer_id=customer.pk, now=now)
    return {
        "balance": balance,
        "figures": _figures(balance) if balance else [],
        "categories": [
            Figure(
                label=f"{category.category} credits",
                value=show_credits(category.remaining),
                note=f"next expiry {_when(category.next_expiry_at)}" if category.next_expiry_at else "",
            )
            for category in categories
        ],
        "panels": [_entries(customer), _grants(customer), _holds(customer), _payments(customer)],
    }


def _figures(balance: Balance) -> list[Figure]:
    debt = f"debt of {show_credits(balance.debt)}" if balance.debt else ""
    overdraft = f"with {show_credits(balance.overdraft_limit)} overdraft" if balance.overdraft_limit else ""
    return [
        Figure(label="Available", value=show_credits(balance.available), note=overdraft),
        Figure(label="Posted", value=show_credits(balance.posted), note=debt),
        Figure(label="Held", value=show_credits(balance.held)),
    ]


def _panel(title: str, model: type[Model], customer: BillingCustomer, headers: list[str], rows: list[Any]) -> Panel:
    address = list_address(model, {"customer__id__exact": customer.pk})
    return Panel(title=title, address=address, table={"headers": headers, "rows": rows})


def _entries(customer: BillingCustomer) -> Panel:
    page = page_of_entries(customer_id=customer.pk, limit=_ROWS)
    rows = [
        [
            link(page_address(entry), _when(entry.occurred_at)),
            entry.get_kind_display(),
            show_credits(entry.amount, signed=True),
            show_credits(entry.balance_after),
            entry.description or NOTHING,
        ]
        for entry in page.entries
    ]
    return _panel(
        "Latest entries", LedgerEntry, customer, ["Happened", "Kind", "Amount", "Balance", "Description"], rows
    )


def _grants(customer: BillingCustomer) -> Panel:
    grants = CreditGrant.objects.filter(customer=customer, is_open=True).order_by("priority", "expires_at", "pk")[
        :_ROWS
    ]
    rows = [
        [
            link(page_address(grant), _when(grant.created_at)),
            grant.get_kind_display(),
            f"{show_credits(grant.remaining)} of {show_credits(grant.amount)}",
            show_money(grant.cost_minor or None, grant.currency),
            _when(grant.expires_at) if grant.expires_at else "never",
        ]
        for grant in grants
    ]
    headers = ["Came in", "Kind", "Remaining", "Paid", "Expires"]
    return _panel("Open grants, in the order they are spent", CreditGrant, customer, headers, rows)


def _holds(customer: BillingCustomer) -> Panel:
    holds = CreditHold.objects.filter(customer=customer).order_by("-pk")[:_ROWS]
    rows = [
        [
            link(page_address(hold), _when(hold.placed_at)),
            show_credits(hold.amount),
            hold.get_state_display(),
            show_credits(hold.settled_amount),
            hold.description or NOTHING,
        ]
        for hold in holds
    ]
    headers = ["Placed", "Amount", "State", "Settled with", "Description"]
    return _panel("Latest holds", CreditHold, customer, headers, rows)


def _payments(customer: BillingCustomer) -> Panel:
    payments = Payment.objects.filter(customer=customer).order_by("-pk")[:_ROWS]
    rows = [
        [
            link_to(payment),
            show_money(payment.amount_minor, payment.currency),
            PaymentState(payment.state).label,
            _when(payment.created_at),
        ]
        for payment in payments
    ]
    return _panel("Latest payments", Payment, customer, ["Payment", "Price", "State", "Started"], rows)


def _when(moment: Any) -> str:
    return date_format(timezone.localtime(moment), "j M Y, H:i")
