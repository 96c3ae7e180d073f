"""A call of a model that we pass on for somebody: opened within the limits of its key, and ended once.

What it is charged for is the same as everywhere (`usage.services.metered_call`): what the provider reports, else what
was delivered, counted, else nothing.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction

from accounts.models import ApiKey
from billing.errors import RateLimited, RequestInFlight
from billing.services.key_limits import placed_by_key
from billing.usage_cost import Tokens
from usage import conf
from usage.models import Basis, UsageEvent, UsageStatus
from usage.services.calls import OpenCall, abandon_call, end_call
from usage.services.reported_usage import tokens_of_usage
from usage.services.tokens import count_tokens

RETRY_AFTER_SECONDS: Final = 1
# Holds of metered calls are named `usage:<attempt>:<call>`; no caller of the API can name one so.
_OPEN_CALLS: Final = """
    SELECT regexp_replace(idempotency_key, '^usage:[0-9]+:', '') FROM billing_credithold
    WHERE placed_by = %s AND placed_by <> 'system' AND state = 'open' AND idempotency_key ~ '^usage:[0-9]+:'
"""


class TooManyOpenCalls(RateLimited):
    """The API key has as many calls open as it may."""

    def __init__(self, *, limit: int) -> None:
        super().__init__(retry_after_seconds=RETRY_AFTER_SECONDS)
        self.limit = limit
        self.args = (f"This API key has {limit} calls open, as many as it may. Ask again when one of them has ended.",)


def open_for_key(*, api_key: ApiKey, event_id: str, open_call: Callable[[], OpenCall]) -> OpenCall:
    """Open a call by `open_call`, unless its key has too many open ones, or this very one.

    A refusal of `open_call` ends the database transaction around it, so it needs no savepoint of its own.
    Calls of one key are opened one after the other (the lock is taken before the balance's, as everywhere). Open ones
    are counted by their holds, so what a killed process left counts until its hold expires, and no longer.

    Raises:
        TooManyOpenCalls: `API_OPEN_STREAMS` are open.
        RequestInFlight: a call of this name is open.
        BillingError: what `open_call` raises.
    """
    limit = conf.open_streams_per_key()
    with transaction.atomic():
        open_names = _lock_open_calls(api_key)
        if event_id in open_names:
            raise RequestInFlight(key=event_id)
        if limit and len(open_names) >= limit:
            raise TooManyOpenCalls(limit=limit)
        return open_call()


def _lock_open_calls(api_key: ApiKey) -> list[str]:
    """The names of the key's open calls, of which nobody opens another one until this database transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"calls:{api_key.key_id}"])
        cursor.execute(_OPEN_CALLS, [placed_by_key(api_key)])  # sees what the last one wrote
        return [name for (name,) in cursor.fetchall()]


@dataclass(kw_only=True)
class ServedCall:
    """An open call while it is passed on. `end` may be called from anywhere, any number of times: it ends once."""

    call: OpenCall
    input_tokens: int
    reported: Tokens | None = None
    delivered: list[str] = field(default_factory=list)
    event: UsageEvent | None = None
    available: Decimal | None = None  # to its customer, right after it was charged
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def report(self, usage: object) -> None:
        """Take what the provider says; the latest counts, and what says nothing is not heard."""
        self.reported = tokens_of_usage(usage) or self.reported

    def deliver(self, text: str) -> None:
        """Note a piece of the answer that has gone out."""
        if text:
            self.delivered.append(text)

    def end(self, *, failure: str = "", is_whole: bool = False) -> UsageEvent:
        """Charge what was reported, else what was delivered, else nothing.

        `is_whole` is an answer without text that was given completely: without a report its input counts.
        """
        with self._lock:
            if self.event is None:
                self.event = self._end(failure=failure, is_whole=is_whole)
            return self.event

    def end_operation(self, *, done: int) -> UsageEvent:
        """Charge a fixed-price operation as often as it was done, at most as often as was asked for."""
        with self._lock:
            if self.event is None:
                quantity = min(done, self.call.quantity)
                if quantity:
                    self.event = self._charge(replace(self.call, quantity=quantity), basis=Basis.FIXED)
                else:
                    self.event = abandon_call(call=self.call, failure="nothing_came")
            return self.event

    def _end(self, *, failure: str, is_whole: bool) -> UsageEvent:
        if self.reported is not None:
            tokens, basis = self.reported, Basis.REPORTED
        elif self.delivered or is_whole:
            output = count_tokens("".join(self.delivered), model=self.call.model)
            tokens, basis = Tokens(input=self.input_tokens, output=output), Basis.DELIVERED
        else:
            return abandon_call(call=self.call, failure=failure or "nothing_came")
        status = UsageStatus.INTERRUPTED if failure else UsageStatus.COMPLETED
        return self._charge(self.call, tokens=tokens, basis=basis, status=status, failure=failure)

    def _charge(self, call: OpenCall, **end: Any) -> UsageEvent:
        """Charge what was served, also where its name was charged meanwhile.

        A call that outlives its hold leaves its name to another one. Both were served, whatever they were asked.
        """
        ended = end_call(call=call, **end)
        if ended.event.hold_id != call.hold.pk:
            ended = end_call(call=replace(call, event_id=f"again:{call.hold.public_id}"), **end)
        self.available = ended.available
        return ended.event
