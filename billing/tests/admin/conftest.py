from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing.kinds import EntryKind
from billing.models import (
    BillingCustomer,
    CreditHold,
    CreditPack,
    LedgerEntry,
    Payment,
    PaymentKind,
    StripeEvent,
)
from billing.services.holds import place_hold
from billing.services.posting import Posting, post
from billing.services.signup_bonus import grant_signup_bonus
from billing.tests.shop import make_customer, make_pack


class World(NamedTuple):
    """One customer with a row of everything, and a second one who must not be found by the first one's names."""

    customer: BillingCustomer
    other: BillingCustomer
    payment: Payment
    purchase: LedgerEntry
    usage: LedgerEntry
    hold: CreditHold
    pack: CreditPack
    event: StripeEvent


def make_payment(*, customer: BillingCustomer, pack: CreditPack, name: str) -> Payment:
    return Payment.objects.create(
        customer=customer,
        kind=PaymentKind.PACK,
        pack=pack,
        form_key=f"form-{name}",
        description=pack.name,
        credits=pack.credits,
        amount_minor=pack.price_minor,
        currency="usd",
        stripe_idempotency_key=f"checkout-{name}",
        checkout_session_id=f"cs_test_{name}",
        payment_intent_id=f"pi_{name}",
        charge_id=f"ch_{name}",
        paid_at=timezone.now(),
        paid_amount_minor=pack.price_minor,
        paid_currency="usd",
    )


def post_to(
    customer: BillingCustomer, amount: int, *, kind: EntryKind, key: str, payment: Payment | None = None
) -> LedgerEntry:
    return post(
        posting=Posting(
            customer_id=customer.pk,
            kind=kind,
            amount=Decimal(amount),
            key=key,
            payment_id=payment.pk if payment else None,
            cost_minor=payment.amount_minor if payment else 0,
            currency="usd" if payment else "",
        )
    )


@pytest.fixture
def world(db: None) -> World:
    customer, other = make_customer(email="ada@example.com"), make_customer(email="bob@example.com")
    customer.stripe_customer_id = "cus_ada"
    customer.save()
    pack = make_pack(slug="standard")
    payment = make_payment(customer=customer, pack=pack, name="ada")
    purchase = post_to(customer, 10_000, kind=EntryKind.PURCHASE, key=f"payment:{payment.pk}:1", payment=payment)
    usage = post_to(customer, -40, kind=EntryKind.USAGE, key="api:job-1")
    grant_signup_bonus(
        user=User.objects.get(email="ada@example.com"), verified_email="ada@example.com", client_address="203.0.113.1"
    )
    hold = place_hold(customer_id=customer.pk, amount=Decimal(25), key="api:hold-1")
    post_to(other, 10, kind=EntryKind.PROMOTION, key="api:other-1")
    post_to(other, -5, kind=EntryKind.USAGE, key="api:other-2")
    place_hold(customer_id=other.pk, amount=Decimal(1), key="api:other-hold")
    make_payment(customer=other, pack=pack, name="bob")
    event = make_event("evt_ada", related_ids=["cs_test_ada", "cus_ada"])
    make_event("evt_bob", related_ids=["cs_test_bob"])
    return World(customer, other, payment, purchase, usage, hold, pack, event)


def make_event(event_id: str, *, state: str = "dead", related_ids: list[str] | None = None) -> StripeEvent:
    now = timezone.now()
    return StripeEvent.objects.create(
        event_id=event_id,
        type="checkout.session.completed",
        livemode=False,
        object_id=(related_ids or [""])[0],
        related_ids=related_ids or [],
        body='{"id":"' + event_id + '","object":"event"}',
        occurred_at=now - timedelta(minutes=1),
        state=state,
        next_try_at=now if state == "pending" else None,
        reason="It failed.",
        traceback="Traceback: <b>boom</b>",
        tries=8,
    )


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("staff@example.com", "a staff password")


@pytest.fixture
def admin(staff: User) -> Client:
    client = Client()
    client.force_login(staff)
    return client
