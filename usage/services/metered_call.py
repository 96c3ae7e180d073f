"""One metered call of a language model, from the estimate to the charge, as application code holds it in its hands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any, Final

from django.utils import timezone

from accounts.models import ApiKey
from billing.errors import HoldEnded, InvalidRequest
from billing.usage_cost import Tokens
from usage.models import Basis, UsageEvent, UsageStatus
from usage.services.calls import OpenCall, abandon_call, finish_call, open_estimated_call
from usage.services.estimating import Estimate, estimate_call
from usage.services.metered_work import MeteredWork, refuse_what_is_done, telling_of_limit
from usage.services.reported_usage import MAX_TOKENS, tokens_of_usage
from usage.services.tokens import count_message_tokens, count_tokens

_NOTHING_CAME: Final = "Nothing was reported or delivered."


class MeteredCall(MeteredWork):
    """A call that is held for when it opens and charged when it closes; `usage.metering.metered` makes it.

    A context manager. For work that does not fit into one block, such as a stream that a generator hands out, `open()`
    it, and `close()` it in the end whatever happened. After `fail()` it is interrupted: what was reported or delivered
    is charged nevertheless.
    """

    def __init__(
        self,
        *,
        customer_id: int,
        model: str,
        messages: Iterable[Any] | str,
        event_id: str,
        max_tokens: int | None = None,
        tools: Any = None,
        api_key: ApiKey | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if max_tokens is not None and not 1 <= max_tokens <= MAX_TOKENS:
            raise InvalidRequest(field="max_tokens", fault=f"it is {max_tokens}", remedy=f"Send 1 to {MAX_TOKENS}.")
        self._customer_id, self._event_id = customer_id, event_id
        self._api_key, self._metadata = api_key, metadata
        self._estimate: Estimate = estimate_call(
            customer_id=customer_id,
            model=model,
            input_tokens=count_message_tokens(messages, model=model, tools=tools),
            max_tokens=max_tokens,
            at=timezone.now(),
        )
        self._reported: Tokens | None = None
        self._delivered: list[str] = []

    @property
    def estimate(self) -> Decimal:
        """What the call will probably cost, in credits."""
        return self._estimate.credits

    @property
    def worst_case(self) -> Decimal:
        """What it costs if the answer gets as long as it may."""
        return self._estimate.worst_case

    @property
    def held(self) -> Decimal:
        """What was set aside for it: the estimate, or for a customer with little left the worst case."""
        amount: Decimal = self._opened().hold.amount
        return amount

    def open(self) -> MeteredCall:
        """Set the credits aside; once, however often it is asked for.

        Raises:
            AlreadyCharged: the work of this name is done; do not do it again.
            InsufficientCredits, KeyLimitReached, CustomerFrozen, IdempotencyConflict: nothing is held; do not call.
        """
        if self._call is None:
            refuse_what_is_done(customer_id=self._customer_id, event_id=self._event_id)
            try:
                with telling_of_limit(self._api_key):
                    self._call = open_estimated_call(
                        customer_id=self._customer_id,
                        estimate=self._estimate,
                        event_id=self._event_id,
                        api_key=self._api_key,
                        metadata=self._metadata,
                    )
            except HoldEnded:  # by another worker, a moment ago
                refuse_what_is_done(customer_id=self._customer_id, event_id=self._event_id)
                raise
        return self

    def report(self, usage: object) -> None:
        """Take what the provider says that the call used: its `usage` as JSON, as the client's object, or `Tokens`.

        The latest report counts. None, or a `usage` without counts, says nothing; an explicit zero is zero.
        """
        tokens = tokens_of_usage(usage)
        if tokens is not None:
            self._reported = tokens

    def deliver(self, text: str | None) -> None:
        """Note a piece of the answer that went out: it is counted where the provider reports nothing."""
        if text:
            self._delivered.append(text)

    def close(self, error: BaseException | None = None) -> UsageEvent:
        """Charge what was reported, else what was delivered, else nothing; once, however often it is asked for."""
        if self._event is None:
            if error is not None and not self._failure:
                self._failure = type(error).__name__  # its text may name hosts and keys that are not the customer's
            self._event = self._settle(self._opened())
        return self._event

    def __enter__(self) -> MeteredCall:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(error)

    def _settle(self, call: OpenCall) -> UsageEvent:
        if self._reported is not None:
            tokens, basis = self._reported, Basis.REPORTED
        elif self._delivered:
            output = count_tokens("".join(self._delivered), model=self._estimate.model)
            tokens, basis = Tokens(input=self._estimate.input_tokens, output=output), Basis.DELIVERED
        else:
            return abandon_call(call=call, failure=self._failure or _NOTHING_CAME)
        status = UsageStatus.INTERRUPTED if self._failure else UsageStatus.COMPLETED
        return finish_call(call=call, tokens=tokens, basis=basis, status=status, failure=self._failure)

    def _opened(self) -> OpenCall:
        if self._call is None:
            raise RuntimeError("The call was not opened: use it in a with block, or open() it.")
        return self._call
