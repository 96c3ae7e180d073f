"""What the commands of billing have in common: what is typed, and the exit code of an error."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from billing.errors import BillingError

EXIT_FINDINGS, EXIT_ERROR = 1, 2


class BillingCommand(BaseCommand):
    """A refusal or a database that fails is an error (exit code 2), told apart from findings (1)."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except (BillingError, DatabaseError, OSError) as error:
            raise CommandError(f"{type(error).__name__}: {error}".strip(), returncode=EXIT_ERROR) from error

    @contextmanager
    def broken_books_are_findings(self) -> Iterator[None]:
        """Where the books of some customers do not add up, all others were done, and those are findings."""
        try:
            yield
        except RuntimeError as broken:
            self.stderr.write(str(broken))
            sys.exit(EXIT_FINDINGS)


class LapseCommand(BillingCommand):
    """Ends what has lapsed, by `lapse(now=, limit=, dry_run=)`, and prints how many of `things` that were."""

    things: str
    done: str
    would_be_done: str
    lapse: Callable[..., int]

    def add_arguments(self, parser: ArgumentParser) -> None:
        most = f"{self.things.capitalize()} at most (default: 1000)."
        parser.add_argument("--limit", type=read_count, default=1000, help=most)
        parser.add_argument("--dry-run", action="store_true", help=f"Only count the {self.things}; nothing changes.")
        parser.add_argument("--json", action="store_true", help="One JSON document instead of a line.")

    def handle(self, *, limit: int, dry_run: bool, json: bool, **options: Any) -> None:
        with self.broken_books_are_findings():
            count = self.lapse(now=timezone.now(), limit=limit, dry_run=dry_run)
        self.tell(count=count, dry_run=dry_run, as_json=json)

    def tell(self, *, count: int, dry_run: bool, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({self.things: count, "dry_run": dry_run}))
        else:
            self.stdout.write(f"{count} {self.things} {self.would_be_done if dry_run else self.done}.")


def read_time(text: str) -> datetime:
    """A time given by hand, `2026-11-20` or an ISO time; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no time: write 2026-11-20 or 2026-11-20T13:00:00+00:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_count(text: str) -> int:
    """How many at most: a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)
