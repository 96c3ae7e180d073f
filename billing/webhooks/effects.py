"""What a handler hands back: the part of its work that belongs into the database transaction of the mark."""

from typing import Protocol

from billing.gateway.client import StripeGateway
from billing.gateway.facts import EventEnvelope
from billing.services.convergence import Convergence


class Effect(Protocol):
    """Run inside the transaction that marks the event done. It makes no call to Stripe."""

    def __call__(self) -> Convergence: ...


class Handler(Protocol):
    """Reads what the event speaks of, from Stripe where its body does not suffice; no database transaction is open.

    Gives None while the event's object is none of ours: it is parked.
    """

    def __call__(self, *, event: EventEnvelope, gateway: StripeGateway) -> Effect | None: ...
