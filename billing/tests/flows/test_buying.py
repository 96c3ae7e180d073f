"""From a checkout to credits: each way in which Stripe ends one."""

from decimal import Decimal

import pytest

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditGrant, CreditPack, EventState, Payment, StripeEvent
from billing.selectors.payments import CheckoutState, checkout_status
from billing.tests.shop import WEBHOOK_SECRET, Credited, credited, deliver, open_checkout, work_off_all
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
WHOLE_PACK = Credited(credits=Decimal(10_500), entries=1)
NOTHING = Credited(credits=Decimal(0), entries=0)


def deliver_all(sandbox: SandboxServer) -> None:
    for signed in sandbox.control.take_events(secret=WEBHOOK_SECRET):
        assert deliver(signed) == 200


def state_of(payment: Payment) -> CheckoutState:
    payment.refresh_from_db()
    status = checkout_status(customer=payment.customer, session_id=payment.checkout_session_id or "")
    assert status is not None
    return status.state


def test_card_payment_brings_pack_and_bonus_in_one_entry(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    assert state_of(started.payment) is CheckoutState.OPEN

    stripe_sandbox.control.pay_session(started.session_id)
    deliver_all(stripe_sandbox)
    assert state_of(started.payment) is CheckoutState.BEING_CREDITED
    work_off_all(gateway)

    assert credited(started.payment) == WHOLE_PACK
    assert state_of(started.payment) is CheckoutState.CREDITED
    grant = CreditGrant.objects.get(payment=started.payment)
    assert (grant.amount, grant.cost_minor, grant.currency) == (Decimal(10_500), 1000, "usd")
    assert grant.expires_at is None
    assert not StripeEvent.objects.exclude(state=EventState.DONE).exists()


def test_lifetime_of_the_pack_ends_the_grant(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    pack.lifetime_days = 30
    pack.save()
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)

    stripe_sandbox.control.pay_session(started.session_id)
    deliver_all(stripe_sandbox)
    work_off_all(gateway)

    grant = CreditGrant.objects.get(payment=started.payment)
    payment = Payment.objects.get(pk=started.payment.pk)
    assert grant.expires_at is not None
    assert payment.paid_at is not None
    assert 29 <= (grant.expires_at - payment.paid_at).days <= 30


def test_terms_of_the_order_count_not_those_of_the_payment_day(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    CreditPack.objects.update(credits=1, bonus_credits=0, price_minor=9_999_00)

    stripe_sandbox.control.pay_session(started.session_id)
    deliver_all(stripe_sandbox)
    work_off_all(gateway)

    assert credited(started.payment) == WHOLE_PACK


def test_declined_card_is_no_end(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)

    stripe_sandbox.control.pay_session(started.session_id, card="4000 0000 0000 0002")
    deliver_all(stripe_sandbox)
    work_off_all(gateway)
    assert credited(started.payment) == NOTHING
    payment = Payment.objects.get(pk=started.payment.pk)
    assert payment.state == "pending"
    assert len(payment.failed_attempts) == 1

    stripe_sandbox.control.pay_session(started.session_id)
    deliver_all(stripe_sandbox)
    work_off_all(gateway)
    assert credited(started.payment) == WHOLE_PACK


def test_delayed_payment_is_credited_when_the_money_comes(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)

    stripe_sandbox.control.pay_session(started.session_id, method="bank_debit")
    deliver_all(stripe_sandbox)
    work_off_all(gateway)
    assert credited(started.payment) == NOTHING
    assert state_of(started.payment) is CheckoutState.PROCESSING

    stripe_sandbox.control.settle_delayed(started.session_id)
    deliver_all(stripe_sandbox)
    work_off_all(gateway)
    assert credited(started.payment) == WHOLE_PACK


def test_delayed_payment_that_fails_brings_nothing(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)

    stripe_sandbox.control.pay_session(started.session_id, method="bank_debit")
    stripe_sandbox.control.settle_delayed(started.session_id, succeed=False)
    deliver_all(stripe_sandbox)
    work_off_all(gateway)

    assert credited(started.payment) == NOTHING
    assert state_of(started.payment) is CheckoutState.FAILED


def test_code_of_a_hundred_percent_grants_the_whole_pack_for_nothing(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)

    stripe_sandbox.control.pay_session(started.session_id, code="FREE100")
    deliver_all(stripe_sandbox)
    work_off_all(gateway)

    assert credited(started.payment) == WHOLE_PACK
    payment = Payment.objects.get(pk=started.payment.pk)
    assert (payment.paid_amount_minor, payment.paid_subtotal_minor, payment.state) == (0, 1000, "paid")


def test_expired_checkout_brings_nothing(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)

    stripe_sandbox.control.expire_session(started.session_id)
    deliver_all(stripe_sandbox)
    work_off_all(gateway)

    assert credited(started.payment) == NOTHING
    assert state_of(started.payment) is CheckoutState.EXPIRED


def test_everything_delivered_twice_changes_nothing(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    stripe_sandbox.control.pay_session(started.session_id)
    events = stripe_sandbox.control.take_events(secret=WEBHOOK_SECRET)

    for signed in [*events, *events]:
        assert deliver(signed) == 200
    work_off_all(gateway)
    for signed in events:
        assert deliver(signed) == 200
    work_off_all(gateway)

    assert credited(started.payment) == WHOLE_PACK
    assert StripeEvent.objects.count() == len(events)


def test_checkout_of_somebody_else_is_unknown(
    gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    from billing.tests.shop import make_customer

    started = open_checkout(customer=customer, pack=pack, gateway=gateway)

    assert checkout_status(customer=make_customer(), session_id=started.session_id) is None
    assert checkout_status(customer=customer, session_id="cs_test_unknown") is None
