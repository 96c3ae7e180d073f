"""Plans in the admin: edited like packs, and given the prices that were agreed, which never change."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import User
from billing.gateway.client import StripeGateway
from billing.models import AuditEntry, Plan, PlanPrice
from billing.selectors.plan_limits import limits_of_plan
from billing.tests.admin.conftest import World
from billing.tests.admin.test_customer_page import log_in
from billing.tests.plan_subscriptions import subscribe
from billing.tests.plan_world import make_plan
from billing.tests.views.test_invoices import make_credit_note, make_invoice

pytestmark = pytest.mark.django_db


@pytest.fixture
def enterprise(db: None) -> Plan:
    return Plan.objects.create(slug="enterprise", name="Enterprise", rank=9)


@pytest.fixture
def owner(world: World) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("owner@example.com", "an owner's password"))
    return client


def change(owner: Client, plan: Plan, **fields: str) -> str:
    """The answer to the plan's form with these fields changed; empty where they are taken."""
    address = f"/admin/billing/plan/{plan.pk}/change/"
    form = owner.get(address).context["adminform"].form
    shown = {name: form[name].value() for name in form.fields}
    sent = {name: "" if value is None else value for name, value in shown.items() if value is not False}
    inlines = {"prices-TOTAL_FORMS": "0", "prices-INITIAL_FORMS": "0"}
    answer = owner.post(address, {**sent, **inlines, **fields})
    return "" if answer.status_code == 302 else answer.content.decode()


@pytest.mark.parametrize(
    ("field", "text", "fault"),
    [
        ("models_allowed", '"gpt-5-mini"', "Write a list of texts"),
        ("models_allowed", "[1]", "Write a list of texts"),
        ("models_allowed", '[""]', "Write a list of texts"),
        ("models_allowed", "7", "Write a list of texts"),
        ("features", '{"a": "b"}', "Write a list of texts"),
        ("requests_per_minute", "0", "Write 1 or more, or leave it empty."),
    ],
)
def test_limits_that_would_limit_otherwise_than_they_say_are_refused(
    owner: Client, enterprise: Plan, field: str, text: str, fault: str
) -> None:
    assert fault in change(owner, enterprise, **{field: text})


@pytest.mark.parametrize(("text", "models"), [("", []), ("null", []), ('["small", "large"]', ["small", "large"])])
def test_models_are_a_list_and_without_one_all(owner: Client, enterprise: Plan, text: str, models: list[str]) -> None:
    assert change(owner, enterprise, models_allowed=text) == ""

    assert Plan.objects.get(pk=enterprise.pk).models_allowed == models
    assert limits_of_plan(Plan.objects.get(pk=enterprise.pk)).models_allowed == tuple(models)


def add_price(plan: Plan) -> str:
    return f"/admin/billing/plan/{plan.pk}/add-price/"


def price_at_stripe(gateway: StripeGateway, *, interval: str = "year", amount_minor: int = 120_000) -> str:
    product = gateway.create_plan_product(name="Agreed", reference="enterprise", idempotency_key="product")
    if not interval:
        return gateway.create_price(
            product_id=product.id, amount_minor=amount_minor, currency="usd", reference="x", idempotency_key="price"
        ).id
    return gateway.create_recurring_price(
        product_id=product.id,
        amount_minor=amount_minor,
        currency="usd",
        interval=interval,
        reference="enterprise",
        idempotency_key=f"price-{interval}",
    ).id


def test_an_agreed_price_is_checked_with_stripe_and_added_once(
    owner: Client, enterprise: Plan, gateway: StripeGateway
) -> None:
    price_id = price_at_stripe(gateway)

    added = owner.post(add_price(enterprise), {"price_id": price_id, "credits": "2000000"})
    again = owner.post(add_price(enterprise), {"price_id": price_id, "credits": "1"})

    assert added.status_code == 302
    assert "it belongs to a plan already" in again.content.decode()
    price = PlanPrice.objects.get()
    assert (price.plan, price.stripe_price_id, price.credits) == (enterprise, price_id, Decimal(2_000_000))
    assert (price.amount_minor, price.currency, price.interval) == (120_000, "usd", "year")
    assert not price.is_current
    assert AuditEntry.objects.get(action="plan.add_price").after["stripe_price_id"] == price_id


@pytest.mark.parametrize(
    ("interval", "fault"), [("", "not paid once a month or once a year"), ("week", "not paid once a month")]
)
def test_a_price_that_no_plan_can_have_is_refused(
    owner: Client, enterprise: Plan, gateway: StripeGateway, interval: str, fault: str
) -> None:
    price_id = price_at_stripe(gateway, interval=interval)

    refused = owner.post(add_price(enterprise), {"price_id": price_id, "credits": "5"})

    assert fault in refused.content.decode()
    assert not PlanPrice.objects.exists()


@pytest.mark.parametrize("sent", [{"price_id": "price_gone", "credits": "5"}, {"price_id": "price_1", "credits": "-1"}])
def test_what_stripe_does_not_know_or_nobody_means_is_refused(
    owner: Client, enterprise: Plan, gateway: StripeGateway, sent: dict[str, str]
) -> None:
    assert owner.post(add_price(enterprise), sent).status_code == 200
    assert not PlanPrice.objects.exists()


def test_prices_are_shown_and_cannot_be_edited(owner: Client) -> None:
    plan = make_plan("pro")
    price = plan.prices.get()
    address = f"/admin/billing/plan/{plan.pk}/change/"

    page = owner.get(address).content.decode()
    form = owner.get(address).context["adminform"].form
    sent = {name: "" if form[name].value() is None else form[name].value() for name in form.fields}
    sent |= {"models_allowed": "[]", "features": '["Mail"]', "is_active": "on"}
    sent |= {"prices-TOTAL_FORMS": "1", "prices-INITIAL_FORMS": "1", "prices-0-id": price.pk, "prices-0-credits": "9"}
    saved = owner.post(address, sent)

    assert price.stripe_price_id in page
    assert saved.status_code == 302, saved.context["errors"]
    price.refresh_from_db()
    assert price.credits == 20_000
    plan.refresh_from_db()
    assert plan.features == ["Mail"]


def test_a_plan_that_was_subscribed_to_keeps_its_address(owner: Client, world: World) -> None:
    plan = make_plan("pro")
    subscribe(world.customer, plan)

    form = owner.get(f"/admin/billing/plan/{plan.pk}/change/").context["adminform"].form

    assert "slug" not in form.fields


def test_a_customers_page_shows_subscriptions_and_invoices(world: World) -> None:
    subscription = subscribe(world.customer, make_plan("pro"), status="past_due")
    make_invoice(world.customer, "A1B2C3-0007")

    page = log_in("Support").get(f"/admin/billing/billingcustomer/{world.customer.pk}/change/").content.decode()

    for words in (subscription.subscription_id, "past_due", "A1B2C3-0007", "$22.61"):
        assert words in page


def test_an_invoice_shows_what_its_credit_notes_did(world: World, admin: Client) -> None:
    invoice = make_invoice(world.customer, "A1B2C3-0008")
    ways = {"before_payment_minor": 100, "to_balance_minor": 200, "elsewhere_minor": 300}
    make_credit_note(invoice, "A1B2C3-0008-CN-01", total_minor=1000, **ways)

    page = admin.get(f"/admin/billing/invoice/{invoice.pk}/change/").content.decode()

    assert "$1.00 less to pay, $4.00 refunded, $2.00 into the balance at Stripe, $3.00 outside of Stripe" in page


def test_a_subscription_is_opened_from_its_list(world: World) -> None:
    subscription = subscribe(world.customer, make_plan("pro"))

    page = log_in("Support").get("/admin/billing/subscription/").content.decode()

    address = f"/admin/billing/subscription/{subscription.pk}/change/"
    link = rf'href="{address}[^"]*"[^>]*>\s*{subscription.subscription_id}\s*</a>'
    assert re.search(link, page)


def test_a_change_that_waits_is_shown_with_its_plan_and_time(world: World) -> None:
    comes_at = datetime(2026, 12, 1, 12, tzinfo=UTC)
    waiting = subscribe(world.customer, make_plan("pro_plus"), next_plan=make_plan("pro"), changes_at=comes_at)
    subscribe(world.customer, None, changes_at=comes_at)
    support = log_in("Support")

    of_customer = support.get(f"/admin/billing/billingcustomer/{world.customer.pk}/change/").content.decode()
    own = support.get(f"/admin/billing/subscription/{waiting.pk}/change/").content.decode()

    assert "Pro, 1 Dec 2026, 12:00" in of_customer
    assert "Unknown plan, 1 Dec 2026, 12:00" in of_customer
    assert "Changes at" in own
    assert "Next plan" in own
