"""The report of the books that staff read: all months added up, kept for a while because adding up reads everything.

Only the cache keeps it; nothing depends on it, and whoever lost it adds up again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.core.cache import cache
from django.db.models import Sum
from django.utils import timezone

from billing import conf
from billing.models import CreditBalance
from billing.money import ZERO, list_value_minor
from billing.services.journal import AccountTotals, BookAccount, BooksTotals, read_totals
from billing.wake import ADD_UP_BOOKS, wake_task

ENTRIES_WHILE_ONE_WAITS = 50_000
FRESH_FOR = timedelta(minutes=10)
_KEY, _KEPT_FOR = "billing:books-report:1", timedelta(days=2)
_AT_WORK_KEY, _AT_WORK_FOR = "billing:books-report:at-work", timedelta(minutes=30)
LIST_CURRENCY = "usd"  # the only one with a list price of credits


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksReport:
    """The totals of all that was booked until a moment."""

    totals: BooksTotals
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFigures:
    """One month in one currency, in minor units: what it changed, and what was deferred at its end."""

    month: date
    currency: str
    collected_minor: int
    given_back_minor: int
    tax_minor: int
    deferred_change_minor: int
    deferred_minor: int
    revenue_minor: int
    refunds_minor: int
    breakage_minor: int
    bad_debt_minor: int
    promotional_credits: Decimal
    promotion_cost_minor: int

    @property
    def earned_minor(self) -> int:
        """What the month earned, all in all: collected - given back = this + breakage + deferred change + tax."""
        return self.revenue_minor - self.refunds_minor - self.bad_debt_minor


def read_report(*, now: datetime) -> BooksReport | None:
    """The report, at most a few minutes old where the ledger is small. None: a worker has been asked to add up."""
    report: BooksReport | None = cache.get(_KEY)
    if report is not None and now - report.as_of < FRESH_FOR:
        return report
    entries = CreditBalance.objects.aggregate(entries=Sum("last_sequence"))["entries"] or 0
    if entries <= ENTRIES_WHILE_ONE_WAITS:
        return add_up_books()
    if cache.add(_AT_WORK_KEY, "1", _AT_WORK_FOR.total_seconds()):
        wake_task(name=ADD_UP_BOOKS)
    return report


def add_up_books() -> BooksReport:
    """Add up all that was ever booked and keep the sums for the report."""
    as_of = timezone.now()
    report = BooksReport(totals=read_totals(), as_of=as_of)
    cache.set(_KEY, report, _KEPT_FOR.total_seconds())
    cache.delete(_AT_WORK_KEY)
    return report


def list_months(totals: BooksTotals) -> Iterator[MonthFigures]:
    """Each month in each currency, the oldest first. Promotions stand with the currency that credits are listed in."""
    deferred: dict[str, int] = {}
    months = {(month, currency): one for month, currency, one in totals.by_month()}
    for month, currency in sorted({*months, *((month, LIST_CURRENCY) for month in totals.promotional_credits)}):
        one = months.get((month, currency))
        accounts = one.accounts if one else {account: AccountTotals() for account in BookAccount}
        balance = {account: accounts[account].balance_minor for account in BookAccount}
        used = totals.promotional_credits.get(month, ZERO) if currency == LIST_CURRENCY else ZERO
        deferred[currency] = deferred.get(currency, 0) - balance[BookAccount.DEFERRED]
        yield MonthFigures(
            month=month,
            currency=currency,
            collected_minor=one.collected_minor if one else 0,
            given_back_minor=one.given_back_minor if one else 0,
            tax_minor=-balance[BookAccount.TAX],
            deferred_change_minor=-balance[BookAccount.DEFERRED],
            deferred_minor=deferred[currency],
            revenue_minor=-balance[BookAccount.REVENUE],
            refunds_minor=balance[BookAccount.REFUNDS],
            breakage_minor=-balance[BookAccount.BREAKAGE],
            bad_debt_minor=balance[BookAccount.BAD_DEBT],
            promotional_credits=used,
            promotion_cost_minor=list_value_minor(used, credits_per_usd=conf.credits_per_usd()),
        )


def first_moment(month: date) -> datetime:
    """When a month begins: months are in UTC."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def month_after(month: date) -> date:
    """The first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
