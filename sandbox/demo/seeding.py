"""The whole demo in one call."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from billing.errors import BillingError
from billing.models import BillingCustomer, LedgerEntry
from billing.services.catalog import sync_catalog
from billing.services.customers import ensure_customer
from billing.services.gateway import configured_gateway
from billing.services.orders import order_pack
from sandbox.defaults import DEMO_REPOSITORY
from sandbox.demo.accounts import DEMO_ACCOUNTS, OWNER
from sandbox.demo.history import seed_past, seed_running_work
from sandbox.demo.packs import BOUGHT_BY_OWNER, ensure_packs
from sandbox.demo.people import ensure_account
from sandbox.demo.plans import ensure_plans
from sandbox.demo.prices import ensure_prices
from sandbox.demo.purchase import Till, buy, stand_in_of_our_own
from sandbox.demo.repository import ensure_repository
from sandbox.demo.staff_work import seed_reconciliation, seed_refund_requests, seed_staff_work
from sandbox.demo.stories import seed_stories
from sandbox.embedded import VAR
from sandbox.stripe.server import SandboxServer


@dataclass(slots=True)
class Seeded:
    """What there is after a seeding; `notes` tell what could not be done and why."""

    accounts: list[str] = field(default_factory=list)
    packs: list[str] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)
    prices: list[str] = field(default_factory=list)
    entries: int = 0
    catalog_changes: int = 0
    has_bought: bool = False
    stories: int = 0
    notes: list[str] = field(default_factory=list)


def seed_everything(*, now: datetime | None = None, stand_in: SandboxServer | None = None) -> Seeded:
    """Accounts, packs, prices, the catalog at Stripe, and histories. Safe to run again: nothing is made twice.

    A `stand_in` given by the caller is used instead of one of our own.
    """
    now = now or timezone.now()
    seeded = Seeded()
    users: dict[str, User] = {account.email: ensure_account(account) for account in DEMO_ACCOUNTS}
    seeded.accounts = sorted(users)
    seeded.packs = [pack.slug for pack in ensure_packs()]
    seeded.plans = [plan.slug for plan in ensure_plans()]
    seeded.prices = ensure_prices(now=now)
    if str(VAR / DEMO_REPOSITORY) in settings.SUMMARY_REPOSITORIES:
        ensure_repository(folder=VAR / DEMO_REPOSITORY)
    owner = users[OWNER.email]
    customer = ensure_customer(user=owner)
    seed_past(user=owner, customer=customer, now=now)
    with nullcontext(stand_in) if stand_in else _stand_in() as server:
        _seed_stripe(customer=customer, users=users, stand_in=server, seeded=seeded, now=now)
    seed_running_work(customer=customer)
    seeded.entries = LedgerEntry.objects.filter(customer=customer).count()
    return seeded


@contextmanager
def _quiet() -> Iterator[None]:
    """What the demo does on purpose, disputes and findings, is no alarm for whoever starts it."""
    log = logging.getLogger("billing")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def _stand_in() -> Iterator[SandboxServer | None]:
    """The stand-in for Stripe where it is wanted and not running yet (it starts after the seeding)."""
    if not getattr(settings, "STRIPE_STAND_IN_IS_WANTED", False):
        yield None
        return
    with stand_in_of_our_own(state=VAR / "sandbox.sqlite3") as server:
        yield server


def _seed_stripe(
    *,
    customer: BillingCustomer,
    users: dict[str, User],
    stand_in: SandboxServer | None,
    seeded: Seeded,
    now: datetime,
) -> None:
    """Products and prices wherever Stripe is; purchases and what became of them only at a stand-in, without money."""
    gateway = configured_gateway()
    try:
        changes = list(sync_catalog(gateway=gateway))
        seeded.catalog_changes = len(changes)
        seeded.notes += [f"{change.item}: {change.detail}" for change in changes if change.action == "refused"]
        if stand_in is None:
            return
        till = Till(control=stand_in.control, gateway=gateway)
        order = order_pack(slug=BOUGHT_BY_OWNER)
        with _quiet(), till.only_told_here():
            payment = buy(till=till, customer=customer, order=order, form_key="demo-purchase")
            seeded.has_bought = payment.paid_at is not None
            seeded.stories = seed_stories(till=till)
            seed_staff_work(staff=users, now=now)
            seed_refund_requests(staff=users, till=till, now=now)
            seed_reconciliation(staff=users, gateway=gateway, now=now)
    except BillingError as error:
        seeded.notes.append(f"Stripe's part was left out: {error}")
