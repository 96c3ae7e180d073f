"""System checks of usage's variables that need more than a pattern (docs/configuration.md)."""

import re
from collections.abc import Sequence
from typing import Any, Final

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from usage.diffs.repositories import is_allowed_entry

_MODEL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")


@register("configuration")
def check_summaries(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """An error for each variable of summaries that is malformed. The value is not shown: it may hold a login."""
    faults: list[CheckMessage] = []
    if not _MODEL_NAME.fullmatch(settings.SUMMARY_MODEL):
        faults.append(
            Error("SUMMARY_MODEL is malformed. It should look like this: a model's name: gpt-5-mini.", id="usage.E001")
        )
    if not all(is_allowed_entry(entry) for entry in settings.SUMMARY_REPOSITORIES):
        faults.append(
            Error(
                "SUMMARY_REPOSITORIES is malformed. It should look like this: absolute paths and https:// addresses of "
                "repositories without a login or a port, comma-separated; with a slash at its end one means all below.",
                id="usage.E002",
            )
        )
    return faults
