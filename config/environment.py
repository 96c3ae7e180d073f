"""Environment variables, typed. A malformed one never breaks the import of the settings: a system check names it."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import environ

FLAGS: Final = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
Value = TypeVar("Value")

WHAT_TESTS_READ: Final = ("DATABASE_URL", "REDIS_URL")


def read_environment(*, file: Path) -> Mapping[str, str]:
    """The process's variables, completed from an `.env` file where one exists; those given from outside win.

    Tests see the addresses of their servers only: what a developer has set must not change their outcome.
    """
    if os.environ.get("DJANGO_SETTINGS_MODULE") == "config.settings.test":
        return {name: os.environ[name] for name in WHAT_TESTS_READ if name in os.environ}
    if file.exists():
        environ.Env.read_env(file)
    return os.environ


class Environment:
    """Reads variables by type. A malformed one gives its default and joins `malformed`; a blank one is not given."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.names: set[str] = set()
        self.malformed: set[str] = set()

    def is_given(self, *names: str) -> bool:
        """Whether any of these variables has a value."""
        return any(self._variables.get(name) for name in names)

    def text(self, name: str, default: str = "") -> str:
        return self._read(name, str, default)

    def flag(self, name: str, *, default: bool) -> bool:
        return self._read(name, lambda raw: FLAGS[raw.lower()], default)

    def integer(self, name: str, *, default: int) -> int:
        return self._read(name, int, default)

    def words(self, name: str, *, default: tuple[str, ...] = ()) -> list[str]:
        """The parts of a comma-separated variable, without blanks."""
        return self._read(name, lambda raw: [word.strip() for word in raw.split(",") if word.strip()], list(default))

    def database(self, name: str, *, default: str = "") -> dict[str, Any]:
        """An entry of DATABASES; one that refuses every query if the address is missing or malformed."""
        if default and not self.is_given(name):
            self.names.add(name)
            return postgresql_entry(default)
        return self._read(name, postgresql_entry, {"ENGINE": "django.db.backends.dummy", "OPTIONS": {}})

    def email(self, name: str) -> dict[str, Any]:
        """The EMAIL_… settings of an address like smtp+tls://…; empty if it is missing or malformed."""
        return self._read(name, environ.Env.email_url_config, {})

    def _read(self, name: str, convert: Callable[[str], Value], default: Value) -> Value:
        self.names.add(name)
        raw = self._variables.get(name, "").strip()
        if not raw:
            return default
        try:
            return convert(raw)
        except (ValueError, KeyError, environ.ImproperlyConfigured):
            self.malformed.add(name)
            return default


def postgresql_entry(url: str) -> dict[str, Any]:
    """The DATABASES entry for an address, set up for many short statements."""
    if not url.startswith(("postgresql://", "postgres://")):  # before anything warns about it with the password
        raise ValueError("postgresql://user:password@host:5432/name is expected.")
    entry: dict[str, Any] = environ.Env.db_url_config(url)
    if not entry["NAME"]:
        raise ValueError("The address names no database.")
    options = {"server_side_binding": True, "prepare_threshold": 1, **entry.get("OPTIONS", {})}
    return {**entry, "OPTIONS": options, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


def celery_broker(redis_url: str) -> str:
    """The broker's address for Celery: it spells a unix socket differently from redis-py."""
    if redis_url.startswith("unix:"):
        return "redis+socket" + redis_url.removeprefix("unix").replace("?db=", "?virtual_host=")
    return redis_url
