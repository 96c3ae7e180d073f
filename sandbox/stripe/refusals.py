"""Where the sandbox must not run: beside live keys and in production."""

import os
from collections.abc import Mapping

from django.conf import settings

_LIVE_PREFIXES = ("sk_live_", "rk_live_", "pk_live_")
_PURPOSE = "It is a stand-in for development and tests only."


class Refused(Exception):
    """The sandbox must not run here; the message says why."""


def find_refusal(environ: Mapping[str, str]) -> str | None:
    """Why the sandbox must not run in this environment, or None."""
    for name in ("STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY"):
        if environ.get(name, "").startswith(_LIVE_PREFIXES):
            return f"{name} is a live key. {_PURPOSE}"
    if environ.get("DJANGO_SETTINGS_MODULE", "").endswith(".production"):
        return f"DJANGO_SETTINGS_MODULE is production. {_PURPOSE}"
    is_test = environ.get("DJANGO_SETTINGS_MODULE", "").endswith(".test") or "PYTEST_VERSION" in environ
    if environ.get("DEBUG", "").lower() in ("0", "false", "no", "off") and not is_test:
        return f"DEBUG is off. {_PURPOSE}"
    return None


def refuse_wrong_place() -> None:
    """Stop a start in the wrong place, whether the environment or the project's settings say so.

    Raises:
        Refused: with the reason.
    """
    known = dict(os.environ)
    if settings.configured:
        for name in ("STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY", "DEBUG"):
            if hasattr(settings, name):
                known[name] = str(getattr(settings, name))
    if reason := find_refusal(known):
        raise Refused(reason)
