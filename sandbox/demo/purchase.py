"""Purchases made as people make them: a checkout at the stand-in, a test card, signed events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from billing import conf
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, Payment
from billing.services.checkout import CheckoutPages, StartedCheckout, start_checkout
from billing.services.orders import Order
from billing.webhooks.inbox import store_event, work_off_event
from sandbox.stripe.control import Control
from sandbox.stripe.server import PortTaken, SandboxServer


@contextmanager
def stand_in_of_our_own(*, state: Path) -> Iterator[SandboxServer | None]:
    """The stand-in at the address that the settings name, with the state it will have later; None if one runs there."""
    address = urlsplit(conf.stripe_api_base())
    server = SandboxServer(host=address.hostname or "127.0.0.1", port=address.port or 0, state=str(state))
    try:
        server.start()
    except PortTaken:
        yield None
        return
    try:
        yield server
    finally:
        server.stop()


@dataclass(frozen=True, slots=True)
class Till:
    """Where the demo's customers pay: the stand-in's levers, and our way to Stripe."""

    control: Control
    gateway: StripeGateway

    def open(self, *, customer: BillingCustomer, order: Order, form_key: str) -> StartedCheckout:
        """A checkout for an order, opened by the form of that key."""
        pages = f"{conf.site_url()}/billing/checkout"
        return start_checkout(
            customer=customer,
            order=order,
            form_key=form_key,
            ui_mode="embedded_page",
            network_hash="",
            pages=CheckoutPages(
                returned=f"{pages}/return/?session_id={{CHECKOUT_SESSION_ID}}", cancelled=f"{pages}/cancelled/"
            ),
            gateway=self.gateway,
        )

    def tell(self) -> None:
        """Take what has happened at the stand-in into the inbox as the webhook would, and work it off."""
        for signed in self.control.take_events(secret=conf.stripe_webhook_secrets()[0]):
            envelope = self.gateway.verify_webhook(body=signed.payload, header=signed.signature)
            store_event(event=envelope, body=signed.payload)
            work_off_event(event_id=envelope.id, gateway=self.gateway)

    @contextmanager
    def only_told_here(self) -> Iterator[None]:
        """Inside it events reach the inbox by `tell` alone, not by an endpoint too. Earlier ones are not told."""
        before = self.control.read_deliveries()
        self.control.set_deliveries(mode="drop")
        self.lose_events()
        try:
            yield
        finally:
            self.control.set_deliveries(mode=before.mode)

    def lose_events(self) -> None:
        """Let nobody ever hear of what has happened at the stand-in since the last telling."""
        self.control.take_events(secret=conf.stripe_webhook_secrets()[0])


def has_bought(*, customer: BillingCustomer, form_key: str) -> bool:
    """Whether the form of that key has opened a checkout before."""
    return Payment.objects.filter(customer=customer, form_key=form_key).exists()


def buy(*, till: Till, customer: BillingCustomer, order: Order, form_key: str) -> Payment:
    """The paid payment for an order. Seeding again gives the first one and buys nothing."""
    bought = Payment.objects.filter(customer=customer, form_key=form_key, paid_at__isnull=False).first()
    if bought is not None:
        return bought
    started = till.open(customer=customer, order=order, form_key=form_key)
    till.control.pay_session(started.session_id)
    till.tell()
    started.payment.refresh_from_db()
    return started.payment
