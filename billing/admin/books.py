"""The books as staff see them: the trial balance, what each month brought, and both as files."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from io import StringIO
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.network import client_address
from billing.admin.base import NOTHING, link, show_money
from billing.money import exponent, major_units
from billing.selectors.export_cells import safe_cell
from billing.services.audit import record_audit
from billing.services.books_report import MonthFigures, first_moment, list_months, month_after, read_report
from billing.services.journal import AccountTotals, BookAccount, BooksTotals, stream_bookings
from billing.services.journal_export import csv_pieces, rows_of

LABELS = {
    BookAccount.CASH: "Cash at Stripe",
    BookAccount.CUSTOMER_BALANCE: "Customer balance at Stripe",
    BookAccount.TAX: "Tax payable",
    BookAccount.DEFERRED: "Deferred revenue",
    BookAccount.REVENUE: "Revenue",
    BookAccount.REFUNDS: "Refunds of consumed credits",
    BookAccount.BREAKAGE: "Breakage",
    BookAccount.BAD_DEBT: "Bad debt",
}
MONTHS_SHOWN = 24
Answer = TypeVar("Answer", bound=HttpResponseBase)
_MONEY_COLUMNS = (
    ("Collected", "collected_minor"),
    ("Given back", "given_back_minor"),
    ("Tax", "tax_minor"),
    ("Deferred, change", "deferred_change_minor"),
    ("Deferred", "deferred_minor"),
    ("Revenue", "revenue_minor"),
    ("Refunds of used", "refunds_minor"),
    ("Breakage", "breakage_minor"),
    ("Bad debt", "bad_debt_minor"),
    ("Promotions", "promotion_cost_minor"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyBooks:
    """The tables of one currency."""

    currency: str
    trial_balance: dict[str, Any]
    is_balanced: bool
    months: dict[str, Any]


class BooksPages:
    """For the admin of money movements: the pages of the books beside its list."""

    # What the admin that this is mixed into brings.
    admin_site: Any
    opts: Any

    def has_books_permission(self, request: HttpRequest) -> bool:
        """Whether the books may be seen: a right of its own."""
        return bool(request.user.has_perm("billing.view_books"))

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("books/", self._guarded(self.books_view), name="billing_books"),
            path("books/months.csv", self._guarded(self.months_view), name="billing_books_months"),
            path("books/journal-<slug:month>.csv", self._guarded(self.journal_view), name="billing_books_journal"),
        ]
        return [*own, *super().get_urls()]  # type: ignore[misc]

    def books_view(self, request: HttpRequest) -> HttpResponse:
        """Trial balance, of everything or as of the end of a month, and the last months."""
        month = _read_month(request.GET["month"]) if request.GET.get("month") else None
        until = month_after(month) if month else None
        try:
            report, fault = read_report(now=timezone.now()), ""
        except RuntimeError as error:  # rows that contradict each other: say so, and nothing that may be wrong
            report, fault = None, str(error)
        totals = report.totals if report else BooksTotals()
        months = list(list_months(totals))
        currencies = sorted({one.currency for one in months})
        may_export = request.user.has_perm("billing.export_rows")
        context = {
            **self.admin_site.each_context(request),
            "title": "Books",
            "opts": self.opts,
            "report": report,
            "fault": fault,
            "month": month,
            "books": [
                _show_currency(totals, currency, until=until, months=months, may_export=may_export)
                for currency in currencies
            ],
            "may_export": may_export,
        }
        return TemplateResponse(request, "admin/billing/books.html", context)

    def months_view(self, request: HttpRequest) -> HttpResponse:
        """All months as CSV."""
        _check_may_export(request)
        report = read_report(now=timezone.now())
        if report is None:
            raise Http404("The books are still being added up.")
        _write_down(request, "books.export", {"as_of": report.as_of.isoformat()})
        return _as_file(HttpResponse("".join(_month_pieces(report.totals))), name=f"books-{report.as_of:%Y%m%d}.csv")

    def journal_view(self, request: HttpRequest, month: str) -> HttpResponseBase:
        """The journal of one month as CSV, streamed: the same lines as `export_journal --month`."""
        _check_may_export(request)
        first_day = _read_month(month)
        _write_down(request, "journal.export", {"month": month})
        since, until = first_moment(first_day), first_moment(month_after(first_day))
        rows = (row for booked in stream_bookings(since=since, until=until) for row in rows_of(booked))
        return _as_file(StreamingHttpResponse(csv_pieces(rows)), name=f"journal-{month}.csv")

    def _guarded(self, view: Any) -> Any:
        """For staff who may see the books; nothing is ever sent here."""

        @require_safe
        def guarded(request: HttpRequest, **named: str) -> HttpResponseBase:
            if not self.has_books_permission(request):
                raise PermissionDenied
            answer: HttpResponseBase = view(request, **named)
            return answer

        return self.admin_site.admin_view(guarded)


def _check_may_export(request: HttpRequest) -> None:
    if not request.user.has_perm("billing.export_rows"):
        raise PermissionDenied


def _read_month(text: str) -> date:
    """The first day of the month that the address names."""
    try:
        month = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007  # a month, no moment
        month_after(month)  # the last month that there is has none
    except ValueError as error:
        raise Http404("A month looks like this: 2026-11.") from error
    return month


def _show_currency(
    totals: BooksTotals, currency: str, *, until: date | None, months: list[MonthFigures], may_export: bool
) -> CurrencyBooks:
    accounts = totals.trial_balance(currency=currency, until=until)
    shown = [one for one in months if one.currency == currency][-MONTHS_SHOWN:]
    return CurrencyBooks(
        currency=currency.upper(),
        trial_balance=_trial_balance_table(accounts, currency),
        is_balanced=not sum(one.balance_minor for one in accounts.values()),
        months={
            "headers": ["Month", "Journal", *(label for label, _ in _MONEY_COLUMNS)],
            "rows": [_month_row(one, may_export=may_export) for one in reversed(shown)],
        },
    )


def _trial_balance_table(accounts: dict[BookAccount, AccountTotals], currency: str) -> dict[str, Any]:
    """Each account with its debits, credits, and its balance on the side where it is; the last row adds up."""

    def row(label: str, debit: int, credit: int, balance_debit: int, balance_credit: int) -> list[str]:
        return [label, *(_show(amount, currency) for amount in (debit, credit, balance_debit, balance_credit))]

    figures = [
        (
            LABELS[account],
            one.debit_minor,
            one.credit_minor,
            max(0, one.balance_minor),
            max(0, -one.balance_minor),
        )
        for account, one in accounts.items()
    ]
    sums = [sum(column) for column in list(zip(*figures, strict=True))[1:]]
    return {
        "headers": ["Account", "Debits", "Credits", "Balance, debit", "Balance, credit"],
        "rows": [*(row(*figure) for figure in figures), row("Sum", *sums)],
    }


def _show(amount_minor: int, currency: str) -> str:
    return show_money(amount_minor, currency) if amount_minor else NOTHING


def _month_row(one: MonthFigures, *, may_export: bool) -> list[Any]:
    address = f"{reverse('admin:billing_books')}?month={one.month:%Y-%m}"
    journal = reverse("admin:billing_books_journal", args=[f"{one.month:%Y-%m}"])
    return [
        link(address, f"{one.month:%Y-%m}"),
        link(journal, "CSV") if may_export else NOTHING,
        *(_show(getattr(one, name), one.currency) for _, name in _MONEY_COLUMNS),
    ]


def _month_pieces(totals: BooksTotals) -> Iterator[str]:
    piece = StringIO()
    writer = csv.writer(piece)
    names = [name.removesuffix("_minor") for _, name in _MONEY_COLUMNS]
    writer.writerow(["month", "currency", *names, "promotional_credits"])
    for one in list_months(totals):
        amounts = [
            f"{major_units(amount_minor=getattr(one, name), currency=one.currency):.{exponent(one.currency)}f}"
            for _, name in _MONEY_COLUMNS
        ]
        writer.writerow([f"{one.month:%Y-%m}", safe_cell(one.currency), *amounts, one.promotional_credits])
    yield piece.getvalue()


def _as_file(answer: Answer, *, name: str) -> Answer:
    answer["Content-Type"] = "text/csv; charset=utf-8"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _write_down(request: HttpRequest, action: str, after: dict[str, str]) -> None:
    """An export leaves the product, so the log says who took what."""
    actor = request.user if isinstance(request.user, User) else None
    with transaction.atomic():
        record_audit(actor=actor, action=action, after=after, address=client_address(request))
