"""A Stripe test account in its own words, for `stripe_conformance` alone: what it says is compared, not acted upon."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import stripe

from billing.gateway.client import API_VERSION, MAX_NETWORK_RETRIES

TIMEOUT_SECONDS: Final = 30
_TEST_KEY: Final = re.compile(r"[sr]k_test_\w+")


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What Stripe answered, as decoded JSON, refusals too."""

    status: int
    body: Mapping[str, Any] = field(repr=False)

    @property
    def error(self) -> Mapping[str, Any]:
        """The error of a refusal; empty where there is none."""
        error = self.body.get("error")
        return error if isinstance(error, Mapping) else {}

    @property
    def is_unknown_address(self) -> bool:
        """Whether the other side has no such address at all."""
        return self.status == 404 and "unrecognized request url" in str(self.error.get("message", "")).lower()


class ConformanceAccount:
    """Calls by path, through the SDK and in our API version. Only with a key of a test account.

    Raises:
        ValueError: the key is not one of a test account.
    """

    def __init__(self, *, secret_key: str, api_base: str) -> None:
        if not _TEST_KEY.fullmatch(secret_key):
            raise ValueError("Conformance is tried with a test key alone: sk_test_… or rk_test_….")
        self._client = stripe.StripeClient(
            secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_base},
            max_network_retries=MAX_NETWORK_RETRIES,
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        )

    def call(self, method: str, path: str, params: Mapping[str, Any] | None = None) -> RawAnswer:
        """One request. A refusal is an answer; no answer is an error.

        Raises:
            ConnectionError: Stripe could not be reached, or does not take the key.
        """
        try:
            answer = self._client.raw_request(method, path, **(params or {}))
        except (stripe.APIConnectionError, stripe.AuthenticationError, stripe.PermissionError) as error:
            raise ConnectionError(f"{type(error).__name__}: {error.user_message or 'no answer'}") from error
        except stripe.StripeError as error:
            body = error.json_body if isinstance(error.json_body, Mapping) else {}
            return RawAnswer(error.http_status or 0, body)
        return RawAnswer(answer.code, json.loads(answer.body))
