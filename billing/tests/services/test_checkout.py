"""A form opens one checkout, whatever goes wrong on the way."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import Settings

from billing.errors import (
    CheckoutRateLimited,
    IdempotencyConflict,
    InvalidRequest,
    PackUnavailable,
    StripeRefused,
    StripeUnavailable,
)
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack, Payment
from billing.services.checkout import start_checkout
from billing.services.orders import order_custom_amount, order_pack
from billing.tests.shop import PAGES, make_customer, make_pack, open_checkout
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def impatient_gateway(stripe_sandbox: SandboxServer) -> StripeGateway:
    """A gateway that gives up at the first failure."""
    return StripeGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url, max_network_retries=0)


def sessions(sandbox: SandboxServer) -> list[str]:
    return [session["id"] for session in sandbox.control.list_objects("checkout.session")]


def test_snapshot_is_written_and_stripe_carries_our_id(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway, network_hash="n1")

    payment = Payment.objects.get()
    session = stripe_sandbox.control.get_object(started.session_id)
    customer.refresh_from_db()
    assert session is not None
    assert (payment.credits, payment.bonus_credits, payment.amount_minor) == (Decimal(10_000), Decimal(500), 1000)
    assert (payment.currency, payment.pack, payment.network_hash, payment.state) == ("usd", pack, "n1", "pending")
    assert payment.checkout_session_id == started.session_id
    assert session["client_reference_id"] == session["metadata"]["payment_id"] == payment.public_id
    assert session["customer"] == customer.stripe_customer_id
    assert session["invoice_creation"]["enabled"] is True
    assert payment.stripe_idempotency_key == f"checkout-{payment.public_id}-{customer.stripe_customer_id}"


def test_same_form_again_gives_the_same_session(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    first, second = [open_checkout(customer=customer, pack=pack, gateway=gateway, form_key="form") for _ in range(2)]

    assert (first.session_id, first.client_secret) == (second.session_id, second.client_secret)
    assert Payment.objects.count() == 1
    assert sessions(stripe_sandbox) == [first.session_id]


def test_same_form_of_another_customer_is_another_intent(
    gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    first = open_checkout(customer=customer, pack=pack, gateway=gateway, form_key="form")
    second = open_checkout(customer=make_customer(), pack=pack, gateway=gateway, form_key="form")

    assert first.session_id != second.session_id


def test_form_used_for_another_order_is_refused(
    gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    open_checkout(customer=customer, pack=pack, gateway=gateway, form_key="form")

    with pytest.raises(IdempotencyConflict):
        open_checkout(customer=customer, pack=make_pack(), gateway=gateway, form_key="form")
    with pytest.raises(IdempotencyConflict):
        open_checkout(customer=customer, pack=pack, gateway=gateway, form_key="form", ui_mode="hosted_page")


def test_form_whose_checkout_is_over_is_refused(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway, form_key="form")
    stripe_sandbox.control.pay_session(started.session_id)

    with pytest.raises(InvalidRequest, match="over"):
        open_checkout(customer=customer, pack=pack, gateway=gateway, form_key="form")


@pytest.mark.parametrize("slug", ["unknown", "retired"])
def test_pack_that_is_not_for_sale_is_refused(slug: str) -> None:
    make_pack(slug="retired", is_active=False)

    with pytest.raises(PackUnavailable):
        order_pack(slug=slug)


@pytest.mark.parametrize("amount_minor", [499, 50_001, 0, -1000])
def test_custom_amount_beyond_its_limits_is_refused(amount_minor: int) -> None:
    with pytest.raises(InvalidRequest, match=r"\$5\.00 to \$500\.00"):
        order_custom_amount(amount_minor=amount_minor)


@pytest.mark.parametrize(("amount_minor", "credits"), [(500, 5_000), (50_000, 500_000), (1234, 12_340)])
def test_custom_amount_is_priced_by_us_at_list_price(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, amount_minor: int, credits: int
) -> None:
    started = start_checkout(
        customer=customer,
        order=order_custom_amount(amount_minor=amount_minor),
        form_key="form",
        ui_mode="hosted_page",
        network_hash="",
        pages=PAGES,
        gateway=gateway,
    )

    session = stripe_sandbox.control.get_object(started.session_id)
    assert session is not None
    assert (started.payment.credits, started.payment.bonus_credits) == (credits, 0)
    assert session["amount_total"] == amount_minor
    assert not session["allow_promotion_codes"]
    assert started.url


# --- The limit


def test_sixth_checkout_in_a_minute_is_refused_until_the_first_is_a_minute_old(
    gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    for _ in range(5):
        open_checkout(customer=customer, pack=pack, gateway=gateway)
    oldest = Payment.objects.earliest("created_at")
    Payment.objects.filter(pk=oldest.pk).update(created_at=timezone.now() - timedelta(seconds=50))

    with pytest.raises(CheckoutRateLimited) as caught:
        open_checkout(customer=customer, pack=pack, gateway=gateway)
    assert caught.value.retry_after_seconds in (9, 10)
    assert Payment.objects.count() == 5

    Payment.objects.filter(pk=oldest.pk).update(created_at=timezone.now() - timedelta(seconds=61))
    open_checkout(customer=customer, pack=pack, gateway=gateway)


def test_limit_holds_for_an_address_over_all_its_customers(gateway: StripeGateway, pack: CreditPack) -> None:
    for _ in range(5):
        open_checkout(customer=make_customer(), pack=pack, gateway=gateway, network_hash="here")

    with pytest.raises(CheckoutRateLimited):
        open_checkout(customer=make_customer(), pack=pack, gateway=gateway, network_hash="here")
    open_checkout(customer=make_customer(), pack=pack, gateway=gateway, network_hash="elsewhere")


def test_retry_of_a_form_does_not_count(gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack) -> None:
    for number in range(5):
        for _ in range(2):
            open_checkout(customer=customer, pack=pack, gateway=gateway, form_key=f"form-{number}")

    with pytest.raises(CheckoutRateLimited):
        open_checkout(customer=customer, pack=pack, gateway=gateway, form_key="form-5")
    open_checkout(customer=customer, pack=pack, gateway=gateway, form_key="form-4")


def test_zero_is_no_limit(
    gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack, settings: Settings
) -> None:
    settings.CHECKOUT_SESSIONS_PER_MINUTE = 0

    for _ in range(7):
        open_checkout(customer=customer, pack=pack, gateway=gateway, network_hash="here")


# --- What Stripe answers


def test_unreachable_stripe_loses_nothing_and_the_form_may_be_sent_again(
    stripe_sandbox: SandboxServer, impatient_gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    stripe_sandbox.control.add_fault("error", method="POST", path="/v1/checkout/sessions")
    with pytest.raises(StripeUnavailable):
        open_checkout(customer=customer, pack=pack, gateway=impatient_gateway, form_key="form")
    assert Payment.objects.get().state == "pending"

    started = open_checkout(customer=customer, pack=pack, gateway=impatient_gateway, form_key="form")

    assert Payment.objects.get().checkout_session_id == started.session_id


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/checkout/sessions"])
def test_lost_answer_and_a_retry_give_one_customer_and_one_session(
    stripe_sandbox: SandboxServer,
    impatient_gateway: StripeGateway,
    customer: BillingCustomer,
    pack: CreditPack,
    path: str,
) -> None:
    stripe_sandbox.control.add_fault("dropped_connection", method="POST", path=path)
    with pytest.raises(StripeUnavailable):
        open_checkout(customer=customer, pack=pack, gateway=impatient_gateway, form_key="form")

    open_checkout(customer=customer, pack=pack, gateway=impatient_gateway, form_key="form")

    assert len(stripe_sandbox.control.list_objects("customer")) == 1
    assert len(sessions(stripe_sandbox)) == 1


def test_outcome_unknown_after_a_day_is_looked_up_not_retried(
    stripe_sandbox: SandboxServer, impatient_gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    stripe_sandbox.control.add_fault("dropped_connection", method="POST", path="/v1/checkout/sessions")
    with pytest.raises(StripeUnavailable):
        open_checkout(customer=customer, pack=pack, gateway=impatient_gateway, form_key="form")
    Payment.objects.update(created_at=timezone.now() - timedelta(hours=25))

    started = open_checkout(customer=customer, pack=pack, gateway=impatient_gateway, form_key="form")

    assert sessions(stripe_sandbox) == [started.session_id]


def test_form_that_stripe_has_no_session_for_after_a_day_opens_none(
    stripe_sandbox: SandboxServer, impatient_gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    stripe_sandbox.control.add_fault("error", method="POST", path="/v1/checkout/sessions")
    with pytest.raises(StripeUnavailable):
        open_checkout(customer=customer, pack=pack, gateway=impatient_gateway, form_key="form")
    Payment.objects.update(created_at=timezone.now() - timedelta(hours=25))

    with pytest.raises(InvalidRequest, match="too old"):
        open_checkout(customer=customer, pack=pack, gateway=impatient_gateway, form_key="form")
    assert sessions(stripe_sandbox) == []


def test_refusal_is_recorded_and_told_again_without_asking(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer
) -> None:
    cheap = make_pack(price_minor=1)  # less than Stripe takes
    with pytest.raises(StripeRefused) as first:
        open_checkout(customer=customer, pack=cheap, gateway=gateway, form_key="form")
    payment = Payment.objects.get()
    assert (payment.state, payment.refusal) == ("failed", str(first.value))

    stripe_sandbox.control.add_fault("error", times=9)
    with pytest.raises(StripeRefused) as second:
        open_checkout(customer=customer, pack=cheap, gateway=gateway, form_key="form")
    assert str(second.value) == str(first.value)


def test_customer_deleted_at_stripe_is_made_anew(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    BillingCustomer.objects.update(stripe_customer_id="cus_deleted")

    started = open_checkout(customer=customer, pack=pack, gateway=gateway)

    customer.refresh_from_db()
    session = stripe_sandbox.control.get_object(started.session_id)
    assert session is not None
    assert session["customer"] == customer.stripe_customer_id != "cus_deleted"


def test_price_that_was_changed_at_stripe_is_not_sold_at(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    product = gateway.create_product(name="pack", reference=pack.slug, idempotency_key="product")
    price = gateway.create_price(
        product_id=product.id, amount_minor=900, currency="usd", reference=pack.slug, idempotency_key="price"
    )
    CreditPack.objects.update(stripe_price_id=price.id)

    with pytest.raises(StripeRefused, match="Nothing was charged"):
        open_checkout(customer=customer, pack=pack, gateway=gateway)

    ended = stripe_sandbox.control.get_object(sessions(stripe_sandbox)[0])
    assert ended is not None
    assert ended["status"] == "expired"
    assert Payment.objects.get().state == "failed"


def test_price_of_the_catalog_is_used(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    product = gateway.create_product(name="pack", reference=pack.slug, idempotency_key="product")
    price = gateway.create_price(
        product_id=product.id, amount_minor=1000, currency="usd", reference=pack.slug, idempotency_key="price"
    )
    CreditPack.objects.update(stripe_price_id=price.id)

    started = open_checkout(customer=customer, pack=pack, gateway=gateway)

    assert started.payment.stripe_price_id == price.id
    assert len(stripe_sandbox.control.list_objects("price")) == 1
