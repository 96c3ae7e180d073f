"""Payments that were made at the sandbox, and staff with rights, for tests of money that goes back."""

import itertools
from decimal import Decimal

from django.contrib.auth.models import Permission

from accounts.models import User
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditBalance, Payment, RefundRequest
from billing.services.refunds import request_refund
from billing.tests.shop import WEBHOOK_SECRET, deliver, make_pack, open_checkout, work_off_all
from sandbox.stripe.server import SandboxServer

_numbers = itertools.count(1)


def buy_thousand(
    *, sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, price_minor: int = 1000
) -> Payment:
    """A paid payment of 1,000 credits without a bonus, by default for $10.00."""
    pack = make_pack(name="1,000 credits", credits=Decimal(1000), bonus_credits=0, price_minor=price_minor)
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    sandbox.control.pay_session(started.session_id)
    deliver_all(sandbox, gateway)
    return Payment.objects.get(pk=started.payment.pk)


def deliver_all(sandbox: SandboxServer, gateway: StripeGateway) -> None:
    """Deliver all that Stripe has to tell, and work it off."""
    for signed in sandbox.control.take_events(secret=WEBHOOK_SECRET):
        assert deliver(signed) == 200
    work_off_all(gateway)


def make_staff(*permissions: str) -> User:
    """A member of staff with these permissions of billing."""
    staff = User.objects.create_user(f"staff-{next(_numbers)}@example.com", "a staff password", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label="billing", codename__in=permissions))
    return User.objects.get(pk=staff.pk)


def ask_refund(*, payment: Payment, amount_minor: int, actor: User, form_key: str = "") -> RefundRequest:
    """A refund request, by default of a form of its own."""
    return request_refund(
        payment_id=payment.pk,
        amount_minor=amount_minor,
        reason_code="goodwill",
        note="Bought by mistake",
        form_key=form_key or f"form-{next(_numbers)}",
        actor=actor,
        address="203.0.113.7",
    ).request


def posted(customer: BillingCustomer) -> Decimal:
    """The customer's balance."""
    return Decimal(CreditBalance.objects.get(pk=customer.pk).posted)
