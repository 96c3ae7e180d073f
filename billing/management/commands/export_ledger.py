"""`manage.py export_ledger`: the ledger as CSV."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO, cast

from django.core.management import CommandError

from billing.kinds import EntryKind
from billing.management.billing_command import EXIT_ERROR, BillingCommand, read_time
from billing.selectors.customers import find_customer
from billing.selectors.entries import EntryFilter
from billing.selectors.export import stream_ledger_csv


class Command(BillingCommand):
    """Reads only; safe at any time, also twice at once. Memory does not grow with the ledger."""

    help = (
        "Writes ledger entries as CSV: UTC time, type, description, exact amount, balance after it, reference. Texts "
        "that a spreadsheet would compute as formulas get an apostrophe in front. Exit code 0: written, 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customer", help="Only this customer: e-mail address, cust_… or cus_… id.")
        parser.add_argument("--since", type=read_time, help="Happened at this time or later: 2026-11-20 or ISO.")
        parser.add_argument("--until", type=read_time, help="Happened before this time.")
        parser.add_argument(
            "--kind",
            action="append",
            default=[],
            choices=[kind.value for kind in EntryKind],
            help="May be given again.",
        )
        parser.add_argument("--output", type=Path, help="Write to this file instead of the terminal.")
        parser.add_argument("--force", action="store_true", help="Overwrite the file if it exists.")

    def handle(
        self,
        *,
        customer: str | None,
        since: datetime | None,
        until: datetime | None,
        kind: list[str],
        output: Path | None,
        force: bool,
        **options: Any,
    ) -> None:
        customer_id = find_customer(name=customer).pk if customer else None
        with self.opened(output, force=force) as target:
            for piece in stream_ledger_csv(entry_filter=EntryFilter(customer_id, tuple(kind), since, until)):
                target.write(piece)

    @contextmanager
    def opened(self, path: Path | None, *, force: bool) -> Iterator[TextIO]:
        """Where to write: the terminal, or a new file that only its owner may read."""
        if path is None:
            self.stdout.ending = ""  # the pieces end their lines themselves
            yield cast(TextIO, self.stdout)
            return
        try:
            file = path.open("w" if force else "x", encoding="utf-8", newline="")
        except FileExistsError as error:
            raise CommandError(f"{path} exists. --force overwrites it.", returncode=EXIT_ERROR) from error
        with file:
            path.chmod(0o600)
            yield file
