"""Why a diff cannot be had."""

from enum import StrEnum

from billing.errors import InvalidRequest


class Reason(StrEnum):
    """Stable names of what can be wrong."""

    NOT_A_DIFF = "not_a_diff"
    TOO_LARGE = "diff_too_large"
    EMPTY = "diff_empty"
    NOT_ALLOWED = "repository_not_allowed"
    UNAVAILABLE = "repository_unavailable"
    UNKNOWN_COMMIT = "commit_unknown"
    MALFORMED_COMMIT = "commit_malformed"
    TOOK_TOO_LONG = "took_too_long"


class DiffRefused(InvalidRequest):
    """There is no diff to work on. What may look different in a moment says so by `is_passing`."""

    def __init__(self, *, reason: Reason, field: str, fault: str, remedy: str) -> None:
        super().__init__(field=field, fault=fault, remedy=remedy)
        self.reason = reason.value

    @property
    def is_passing(self) -> bool:
        return self.reason in (Reason.UNAVAILABLE, Reason.TOOK_TOO_LONG)
