"""A customer of the sandbox who subscribes, and one clock for us and for Stripe."""

import random
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import time_machine

from billing.credits import deduct_credits
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, Plan, PlanPrice
from billing.services.catalog import sync_catalog
from billing.services.plan_checkout import start_plan_checkout
from billing.services.stripe_customers import ensure_stripe_customer
from billing.tests.plan_world import check_books, posted
from billing.tests.shop import PAGES, WEBHOOK_SECRET, deliver, work_off_all
from sandbox.stripe.control import Control, SignedEvent

TERMS = {"pro": (1, 1900, 20_000), "pro_plus": (2, 4900, 60_000)}


def offer_plans(gateway: StripeGateway, **fields: object) -> None:
    """Pro ($19, 20,000) and Pro Plus ($49, 60,000), with their prices at the sandbox; `fields` are of Pro."""
    for slug, (rank, price_minor, credits) in TERMS.items():
        more = fields if slug == "pro" else {}
        Plan.objects.create(
            slug=slug,
            name=slug.replace("_", " ").title(),
            rank=rank,
            price_minor=price_minor,
            credits=Decimal(credits),
            **more,
        )
    list(sync_catalog(gateway=gateway))


@dataclass
class Subscriber:
    """The customer, what is done at Stripe for them, and the events that come of it: each twice, in any order."""

    customer: BillingCustomer
    gateway: StripeGateway
    control: Control
    traveller: time_machine.Traveller
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    subscription: str = ""
    spent: int = 0

    @property
    def at_stripe(self) -> str:
        """The customer's id at the sandbox."""
        return ensure_stripe_customer(customer=self.customer, gateway=self.gateway)

    @property
    def posted(self) -> Decimal:
        return posted(self.customer)

    def price(self, slug: str) -> str:
        """The id of a plan's current price."""
        return PlanPrice.objects.get(plan__slug=slug, is_current=True).stripe_price_id

    def move_to(self, moment: datetime) -> None:
        """Let the time be that, here and at Stripe, and hear what it brought."""
        self.traveller.move_to(moment)
        self.control.advance_clock()
        self.hear()

    def check_out(self, slug: str, *, code: str | None = None) -> None:
        """Subscribe by a checkout of ours and the card 4242."""
        started = start_plan_checkout(
            customer=self.customer,
            slug=slug,
            form_key=f"form-{slug}",
            ui_mode="embedded_page",
            network_hash="",
            pages=PAGES,
            gateway=self.gateway,
        )
        self.control.pay_session(started.session_id, code=code)
        self.hear()
        session = self.control.get_object(started.session_id) or {}
        self.subscription = str(session["subscription"])

    def change(self, slug: str, *, at_once: bool = True) -> None:
        """Change the plan as somebody does at the dashboard or in the portal."""
        self.control.change_subscription(self.subscription, price=self.price(slug), at_once=at_once)
        self.hear()

    def spend(self, amount: int) -> None:
        """Use credits."""
        assert self.customer.user is not None
        self.spent += 1
        deduct_credits(self.customer.user, amount, description="Work", idempotency_key=f"work-{self.spent}")

    def hear(self) -> list[SignedEvent]:
        """Take the events since the last time, and let them arrive twice each, in a random order."""
        events = self.control.take_events(secret=WEBHOOK_SECRET)
        arriving = events * 2
        self.chance.shuffle(arriving)
        for event in arriving:
            assert deliver(event) == 200
        work_off_all(self.gateway)
        check_books()
        return events
