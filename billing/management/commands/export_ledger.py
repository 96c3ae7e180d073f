"""`manage.py export_ledger`: the ledger, payments, usage or adjustments as CSV or as a workbook."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, TextIO, cast

from django.core.management import CommandError
from django.db import transaction
from django.db.models import QuerySet

from billing.kinds import EntryKind
from billing.management.billing_command import EXIT_ERROR, BillingCommand, read_time
from billing.models import LedgerEntry
from billing.selectors.customers import find_customer
from billing.selectors.export import stream_csv
from billing.selectors.export_sheets import CUSTOMER_LEDGER, LEDGER, SHEETS, Sheet, choose_rows
from billing.selectors.export_xlsx import write_xlsx
from billing.services.audit import record_audit


class Command(BillingCommand):
    """Changes nothing but the audit log; safe at any time, also twice at once. As CSV, memory does not grow."""

    help = (
        "Writes ledger entries (or payments, usage, adjustments) as CSV or as a workbook: UTC times, exact amounts, "
        "and texts that a spreadsheet would compute as formulas with an apostrophe in front. A workbook is bounded by "
        "the setting EXPORT_XLSX_MAX_ROWS, CSV is not. Exit code 0: written, 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--what", choices=list(SHEETS), default=LEDGER.name, help="Which rows. Default: ledger.")
        parser.add_argument("--format", choices=["csv", "xlsx"], default="csv", help="xlsx needs --output.")
        parser.add_argument("--customer", help="Only this customer: e-mail address, cust_… or cus_… id.")
        parser.add_argument("--since", type=read_time, help="Happened at this time or later: 2026-11-20 or ISO.")
        parser.add_argument("--until", type=read_time, help="Happened before this time.")
        parser.add_argument(
            "--kind",
            action="append",
            default=[],
            choices=[kind.value for kind in EntryKind],
            help="Only entries of this kind; may be given again.",
        )
        parser.add_argument("--output", type=Path, help="Write to this file instead of the terminal.")
        parser.add_argument("--force", action="store_true", help="Overwrite the file if it exists.")

    def handle(
        self,
        *,
        what: str,
        customer: str | None,
        since: datetime | None,
        until: datetime | None,
        kind: list[str],
        output: Path | None,
        force: bool,
        **options: Any,
    ) -> None:
        sheet = SHEETS[what]
        if kind and sheet.model is not LedgerEntry:
            raise CommandError(f"--kind names kinds of entries; {what} have none.", returncode=EXIT_ERROR)
        customer_id = find_customer(name=customer).pk if customer else None
        rows = choose_rows(sheet=sheet, customer_id=customer_id, kinds=kind, since=since, until=until)
        shown = CUSTOMER_LEDGER if sheet is LEDGER and customer else sheet
        # Before the first row leaves: an export that breaks off half-way is one, too.
        asked = {"customer": customer, "since": since, "until": until, "kinds": kind, "format": options["format"]}
        with transaction.atomic():
            record_audit(
                actor=None,
                action=f"{what}.export",
                after={name: str(value) for name, value in asked.items() if value},
                reason="export_ledger",
            )
        if options["format"] == "xlsx":
            self.write_workbook(shown, rows, output, force=force)
        else:
            with self.opened_text(output, force=force) as target:
                for piece in stream_csv(sheet=shown, rows=rows):
                    target.write(piece)

    def write_workbook(self, sheet: Sheet, rows: QuerySet[Any], output: Path | None, *, force: bool) -> None:
        if output is None:
            raise CommandError("A workbook needs a file: --output ledger.xlsx.", returncode=EXIT_ERROR)
        existed = output.exists()
        with self.opened(output, "wb" if force else "xb") as target:
            try:
                write_xlsx(sheet=sheet, rows=rows, target=target)
            except BaseException:
                if not existed:
                    output.unlink()
                raise

    @contextmanager
    def opened_text(self, path: Path | None, *, force: bool) -> Iterator[TextIO]:
        """Where to write: the terminal, or a file of one's own."""
        if path is None:
            self.stdout.ending = ""  # the pieces end their lines themselves
            yield cast(TextIO, self.stdout)
            return
        with self.opened(path, "w" if force else "x", encoding="utf-8", newline="") as file:
            yield cast(TextIO, file)

    @contextmanager
    def opened(self, path: Path, mode: str, **options: Any) -> Iterator[IO[Any]]:
        """A new file that only its owner may read."""
        try:
            file = path.open(mode, **options)
        except FileExistsError as error:
            raise CommandError(f"{path} exists. --force overwrites it.", returncode=EXIT_ERROR) from error
        with file:
            path.chmod(0o600)
            yield file
