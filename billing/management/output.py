"""Where a command writes its file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from django.core.management import CommandError

from billing.management.billing_command import EXIT_ERROR


@contextmanager
def open_new_file(path: Path, *, force: bool) -> Iterator[TextIO]:
    """A text file that only its owner may read; with `force` it may exist.

    Raises:
        CommandError: it exists.
    """
    try:
        file = path.open("w" if force else "x", encoding="utf-8", newline="")
    except FileExistsError as error:
        raise CommandError(f"{path} exists. --force overwrites it.", returncode=EXIT_ERROR) from error
    with file:
        path.chmod(0o600)
        yield file
