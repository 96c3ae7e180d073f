"""`manage.py export_journal`: the books as a journal, line by line."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management import CommandError
from django.db import transaction
from django.utils import timezone

from billing.management.billing_command import EXIT_ERROR, EXIT_FINDINGS, BillingCommand, read_time
from billing.management.output import open_new_file
from billing.management.progress_bar import ProgressBar
from billing.money import format_money
from billing.selectors.customers import find_customer
from billing.services.audit import record_audit
from billing.services.journal import Booked, BooksTotals, stream_bookings
from billing.services.journal_export import Row, csv_pieces, json_pieces, rows_of


class Command(BillingCommand):
    """Changes nothing but the audit log; safe at any time, also twice at once. Memory does not grow with the ledger."""

    help = (
        "Writes the lines of the journal that were booked in a month or a period (UTC), as CSV or JSON: what was "
        "collected and given back, and what of it is tax, deferred revenue, revenue, breakage or bad debt, by payment. "
        "The same period gives the same lines whenever it is asked for. Exit code 0: written, and debits equal "
        "credits; 1: they do not; 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--month", type=read_month, metavar="2026-11", help="All that was booked in this month.")
        parser.add_argument("--since", type=read_time, help="Booked at this time or later: 2026-11-20 or ISO.")
        parser.add_argument("--until", type=read_time, help="Booked before this time.")
        parser.add_argument("--customer", help="Only this customer: e-mail address, cust_… or cus_… id.")
        parser.add_argument("--json", action="store_true", help="One JSON document instead of CSV.")
        parser.add_argument("--output", type=Path, help="Write to this file instead of the terminal.")
        parser.add_argument("--force", action="store_true", help="Overwrite the file if it exists.")

    def handle(
        self,
        *,
        month: datetime | None,
        since: datetime | None,
        until: datetime | None,
        customer: str | None,
        output: Path | None,
        force: bool,
        **options: Any,
    ) -> None:
        if month and (since or until):
            raise CommandError("--month is a period of its own: leave --since and --until out.", returncode=EXIT_ERROR)
        if month:
            since, until = month, next_month(month)
        if since and until and since >= until:
            raise CommandError("--since must be before --until.", returncode=EXIT_ERROR)
        customer_id = find_customer(name=customer).pk if customer else None
        asked = {"since": since, "until": until, "customer": customer}
        with transaction.atomic():  # before the first line leaves: an export that breaks off half-way is one, too
            after = {name: str(value) for name, value in asked.items() if value}
            record_audit(actor=None, action="journal.export", target=None, after=after, reason="export_journal")
        bar, totals = ProgressBar(), BooksTotals()

        def show_progress(done: int, total: int) -> None:
            bar.draw(label="Journal", share=done / (total or 1), note=f"{done:,} of {total:,} entries")

        steps = stream_bookings(since=since, until=until, customer_id=customer_id, progress=show_progress)
        try:
            with open_new_file(output, force=force) if output else nullcontext(self.stdout) as target:
                self.stdout.ending = ""
                for piece in (json_pieces if options["json"] else csv_pieces)(counted_rows(steps, totals)):
                    target.write(piece)
        except RuntimeError as error:
            fault = f"{error} reconcile_ledger says what is wrong. What was written is not whole."
            raise CommandError(fault, returncode=EXIT_ERROR) from error
        finally:
            bar.clear()
        if until is None or until > timezone.now():
            self.stderr.write("This period is not over: more lines may come.")
        self.finish(totals)

    def finish(self, totals: BooksTotals) -> None:
        """Say what was booked by currency, apart from the lines."""
        is_balanced = True
        for currency in totals.currencies():
            accounts = totals.trial_balance(currency=currency).values()
            debit, credit = (sum(getattr(one, f"{side}_minor") for one in accounts) for side in ("debit", "credit"))
            is_balanced = is_balanced and debit == credit
            shown = [format_money(amount_minor=amount, currency=currency) for amount in (debit, credit)]
            self.stderr.write(f"{currency.upper()}: debits {shown[0]}, credits {shown[1]}")
        if not is_balanced:
            sys.exit(EXIT_FINDINGS)


def counted_rows(steps: Iterable[Booked], totals: BooksTotals) -> Iterator[Row]:
    """The rows of all steps; each step is added to the totals on its way."""
    for booked in steps:
        totals.add(booked.booking)
        yield from rows_of(booked)


def read_month(text: str) -> datetime:
    """The first moment of a month given by hand, `2026-11`, in UTC."""
    try:
        month = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
        next_month(month)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no month: write 2026-11") from error
    return month


def next_month(month: datetime) -> datetime:
    """The first moment of the month after."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
