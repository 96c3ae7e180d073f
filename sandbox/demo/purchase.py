"""The owner's first purchase, made as people make it: a checkout at the stand-in, a test card, signed events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from billing import conf
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, Payment
from billing.services.checkout import CheckoutPages, start_checkout
from billing.services.orders import order_pack
from billing.webhooks.inbox import store_event, work_off_event
from sandbox.stripe.server import PortTaken, SandboxServer

_FORM_KEY: Final = "demo-purchase"


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


def buy_as_owner(*, customer: BillingCustomer, pack: str, stand_in: SandboxServer, gateway: StripeGateway) -> Payment:
    """The paid payment for the pack. Seeding again gives the first one and buys nothing."""
    bought = Payment.objects.filter(customer=customer, form_key=_FORM_KEY, paid_at__isnull=False).first()
    if bought is not None:
        return bought
    pages = f"{conf.site_url()}/billing/checkout"
    started = start_checkout(
        customer=customer,
        order=order_pack(slug=pack),
        form_key=_FORM_KEY,
        ui_mode="embedded_page",
        network_hash="",
        pages=CheckoutPages(
            returned=f"{pages}/return/?session_id={{CHECKOUT_SESSION_ID}}", cancelled=f"{pages}/cancelled/"
        ),
        gateway=gateway,
    )
    stand_in.control.pay_session(started.session_id)
    receive_events(stand_in=stand_in, gateway=gateway)
    started.payment.refresh_from_db()
    return started.payment


def receive_events(*, stand_in: SandboxServer, gateway: StripeGateway) -> None:
    """Take the stand-in's events into the inbox as the webhook would, and work them off."""
    for event in stand_in.control.list_events():
        signed = stand_in.control.sign_event(event, secret=conf.stripe_webhook_secrets()[0])
        envelope = gateway.verify_webhook(body=signed.payload, header=signed.signature)
        store_event(event=envelope, body=signed.payload)
        work_off_event(event_id=envelope.id, gateway=gateway)
