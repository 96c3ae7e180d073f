"""What the commands of billing have in common: what is typed, and the exit code of an error."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import DatabaseError

from billing.errors import BillingError

EXIT_FINDINGS, EXIT_ERROR = 1, 2


class BillingCommand(BaseCommand):
    """A refusal or a database that fails is an error (exit code 2), told apart from findings (1)."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except (BillingError, DatabaseError, OSError) as error:
            raise CommandError(f"{type(error).__name__}: {error}".strip(), returncode=EXIT_ERROR) from error


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
