"""Asks the other side, checks every object that comes back against the contract, and remembers what was seen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from billing.gateway.conformance import ConformanceAccount, RawAnswer
from sandbox.contract.check import Contract
from sandbox.contract.derive import load_contract

Json = dict[str, Any]
# Secrets, addresses of pages that need no login, and what people type: never stored.
_SECRET_FIELDS: Final = re.compile(r"(\w+_)?(client_secret|secret|email|url|pdf|phone|fingerprint)")
_SECRETS: Final = re.compile(r"\b(?:sk|rk|whsec|pi|seti|cs)_\w*?(?:_secret_\w+|test_\w{20,}\b)")


class StepSkipped(Exception):
    """The other side does not have what a step needs."""


class Difference(Exception):
    """The other side does not do what we rely on."""


class Observer:
    """The account as the steps use it. `breaches` and `seen` belong to the step that runs."""

    def __init__(self, account: ConformanceAccount) -> None:
        self._account = account
        self._contract = Contract(load_contract())
        self.breaches: list[str] = []
        self.seen: list[Json] = []

    def ask(self, method: str, path: str, **params: Any) -> Json:
        """The object that a request gives.

        Raises:
            StepSkipped: there is no such address.
            Difference: the request was refused.
        """
        answer = self.try_to_ask(method, path, **params)
        if answer.status >= 400:
            raise Difference(f"{method.upper()} {path}: {answer.status} {answer.error.get('message', '')}")
        return dict(answer.body)

    def try_to_ask(self, method: str, path: str, **params: Any) -> RawAnswer:
        """What a request gives, a refusal too.

        Raises:
            StepSkipped: there is no such address.
        """
        answer = self._account.call(method, path, params)
        if answer.is_unknown_address:
            raise StepSkipped(f"The other side has no {method.upper()} {path}.")
        told = {"request": f"{method.upper()} {path}", "status": answer.status, "body": redact(answer.body)}
        self.seen.append(told)
        if "error" not in answer.body:
            self._check(answer.body)
        return answer

    def list_all(self, path: str, **params: Any) -> list[Json]:
        """The first page of a list, as long as pages are."""
        return [dict(row) for row in self.ask("get", path, limit=100, **params)["data"]]

    def refused(self, method: str, path: str, **params: Any) -> Mapping[str, Any]:
        """The error of a request that must be refused.

        Raises:
            Difference: it was not.
        """
        answer = self.try_to_ask(method, path, **params)
        if answer.status < 400:
            raise Difference(f"{method.upper()} {path} was not refused.")
        return answer.error

    def _check(self, body: Mapping[str, Any]) -> None:
        rows = body["data"] if body.get("object") == "list" else [body]
        for row in rows:
            check = self._contract.check_event if row.get("object") == "event" else self._contract.check_resource
            if not row.get("deleted"):
                self.breaches += check(dict(row))


def redact(value: Any) -> Any:
    """What may be stored: without secrets, addresses of open pages and e-mail."""
    if isinstance(value, Mapping):
        return {
            name: "[redacted]" if _SECRET_FIELDS.fullmatch(name) and isinstance(inner, str) else redact(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [redact(inner) for inner in value]
    return _SECRETS.sub("[redacted]", value) if isinstance(value, str) else value
