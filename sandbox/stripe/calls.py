"""One call of the API, as the functions that answer it see it."""

from dataclasses import dataclass
from typing import Any

from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource


@dataclass(frozen=True)
class Call:
    """The typed parameters of a request and the ids in its path."""

    sandbox: Sandbox
    path: str
    params: dict[str, Any]
    ids: dict[str, str]

    @property
    def id(self) -> str:
        """The id of the object that the path names."""
        return next(iter(self.ids.values()))

    def find(self, kind: str) -> Resource:
        """The object that the path names."""
        return self.sandbox.require(kind, self.id)
