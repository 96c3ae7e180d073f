"""Nothing starts on a broken configuration: gunicorn, worker and beat ask here, commands have Django's checks."""

import sys
from typing import Final

from django.core.checks import run_checks

GUNICORN_GIVES_UP: Final = 3  # gunicorn starts a worker that ends with another code again and again


def refuse_misconfiguration() -> None:
    """End this process, naming each missing or malformed variable, if a configuration check fails.

    Commands of `manage.py` need no call: Django runs the same checks before each of them.
    """
    problems = [message for message in run_checks(tags=["configuration"]) if message.is_serious()]
    if problems:
        lines = [f"({problem.id}) {problem.msg}" for problem in problems]
        print("Prepaid does not start:", *lines, sep="\n  ", file=sys.stderr, flush=True)  # noqa: T201
        sys.exit(GUNICORN_GIVES_UP)
