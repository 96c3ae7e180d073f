"""A small shop for tests: customers, packs, and checkouts at the sandbox, all made by the services."""

import itertools
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.test import Client

from accounts.models import User
from billing.gateway.client import StripeGateway, UiMode
from billing.models import BillingCustomer, CreditPack, LedgerEntry, Payment, StripeEvent
from billing.services.checkout import CheckoutPages, StartedCheckout, start_checkout
from billing.services.customers import ensure_customer
from billing.services.orders import order_pack
from billing.webhooks.inbox import work_off_due_events
from sandbox.stripe.control import SignedEvent

WEBHOOK_SECRET = "whsec_test"
PAGES = CheckoutPages(
    returned="http://testserver/billing/checkout/return/?session_id={CHECKOUT_SESSION_ID}",
    cancelled="http://testserver/billing/checkout/cancelled/",
)
_numbers = itertools.count(1)


def _in_letters(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "abcdefghij"))


def make_customer(*, email: str = "") -> BillingCustomer:
    """A new user's customer, with an empty balance. Its address has no digits, as tests look for figures in pages."""
    address = email or f"buyer-{_in_letters(next(_numbers))}@example.com"
    return ensure_customer(user=User.objects.create_user(address, "correct horse battery"))


def make_pack(**fields: Any) -> CreditPack:
    """10,000 credits and 500 more for $10.00."""
    terms = {"name": "10,000 credits", "credits": Decimal(10_000), "bonus_credits": Decimal(500), "price_minor": 1000}
    return CreditPack.objects.create(**{"slug": f"pack-{next(_numbers)}", **terms, **fields})


def open_checkout(
    *,
    customer: BillingCustomer,
    pack: CreditPack,
    gateway: StripeGateway,
    form_key: str = "",
    ui_mode: UiMode = "embedded_page",
    network_hash: str = "",
    saves_card: bool = False,
) -> StartedCheckout:
    """A checkout of the pack, by default of a form of its own."""
    return start_checkout(
        customer=customer,
        order=order_pack(slug=pack.slug),
        form_key=form_key or f"form-{next(_numbers)}",
        ui_mode=ui_mode,
        network_hash=network_hash,
        pages=PAGES,
        gateway=gateway,
        saves_card=saves_card,
    )


def deliver(signed: SignedEvent) -> int:
    """Post an event to our webhook as Stripe does; gives the status."""
    response = Client().post(
        "/webhooks/stripe/",
        signed.payload,
        content_type="application/json; charset=utf-8",
        headers={"Stripe-Signature": signed.signature},
    )
    return response.status_code


def work_off_all(gateway: StripeGateway) -> None:
    """Work off everything in the inbox that is pending, whenever it is due."""
    from django.utils import timezone

    for _ in range(20):
        StripeEvent.objects.filter(state="pending").update(next_try_at=timezone.now())
        if not work_off_due_events(gateway=gateway):
            return
    raise AssertionError("The inbox does not get empty.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credited:
    """What a payment has brought so far."""

    credits: Decimal
    entries: int


def credited(payment: Payment) -> Credited:
    """What the ledger holds for a payment."""
    entries = LedgerEntry.objects.filter(payment=payment)
    return Credited(credits=sum((entry.amount for entry in entries), Decimal(0)), entries=len(entries))
