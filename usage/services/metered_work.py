"""What metered calls and charged operations share: work that is done and charged once under its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from django.utils import timezone

from accounts.models import ApiKey
from billing.errors import BillingError, KeyLimitReached
from billing.services.key_limits import placed_by_key
from billing.services.key_notices import announce_key_limit
from usage.models import UsageEvent
from usage.services.call_events import find_event
from usage.services.calls import OpenCall


class AlreadyCharged(BillingError):
    """The work of this name was done and charged before; `event` is what was written down then."""

    code = "already_charged"

    def __init__(self, *, event: UsageEvent) -> None:
        self.usage_event, self.charged = event.public_id, event.credits
        super().__init__(f"{event.event_id} was done before and charged {event.credits} credits.")

    @property
    def event(self) -> UsageEvent:
        return UsageEvent.objects.get(public_id=self.usage_event)


class MeteredWork:
    """Work that is held for before it begins; at its end an event says what it used and cost."""

    def __init__(self) -> None:
        self._call: OpenCall | None = None
        self._event: UsageEvent | None = None
        self._failure = ""

    @property
    def event(self) -> UsageEvent:
        """What was written down at the end, with estimate, held and actual credits and the basis of the charge."""
        if self._event is None:
            raise RuntimeError("The work has not ended yet.")
        return self._event

    @property
    def charged(self) -> Decimal:
        """What it cost in the end, in credits."""
        credits: Decimal = self.event.credits
        return credits

    def fail(self, reason: str) -> None:
        """Say that the work did not succeed, without an exception."""
        self._failure = reason or "It failed."


@contextmanager
def telling_of_limit(api_key: ApiKey | None) -> Iterator[None]:
    """Whoever's key has no more room this month is told so, as by the API, which does this for its own refusals."""
    try:
        yield
    except KeyLimitReached:
        if api_key is not None:
            announce_key_limit(placed_by=placed_by_key(api_key), now=timezone.now())
        raise


def refuse_what_is_done(*, customer_id: int, event_id: str) -> None:
    """Let nobody do work again that was charged.

    Raises:
        AlreadyCharged: with what was written down then.
    """
    event = find_event(customer_id=customer_id, event_id=event_id)
    if event is not None:
        raise AlreadyCharged(event=event)
