"""Plans at Stripe: products, recurring prices that never change their meaning, and the portal that offers them."""

from decimal import Decimal

import pytest

from billing.gateway.client import StripeGateway
from billing.models import Plan, PlanPrice, PortalConfiguration
from billing.services.catalog import sync_catalog
from billing.services.portal_catalog import portal_configuration_id
from billing.tests.threads import at_once
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def plan(db: None) -> Plan:
    return Plan.objects.create(slug="pro", name="Pro", rank=1, price_minor=1900, credits=Decimal(20_000))


def actions(gateway: StripeGateway, *, dry_run: bool = False) -> list[tuple[str, str]]:
    """What was done, but for the portal without sale, which there always is."""
    changes = sync_catalog(gateway=gateway, dry_run=dry_run)
    return [(change.item, change.action) for change in changes if change.item != "portal_without_sale"]


def test_plan_gets_product_and_price_and_the_portal_offers_it(plan: Plan, gateway: StripeGateway) -> None:
    assert actions(gateway, dry_run=True) == [("pro", "create_product"), ("pro", "create_price")]
    assert not PlanPrice.objects.exists()

    steps = [("pro", "create_product"), ("pro", "create_price"), ("portal", "configure_portal")]
    assert actions(gateway) == steps
    assert actions(gateway) == []

    price = PlanPrice.objects.get()
    at_stripe = gateway.retrieve_price(price_id=price.stripe_price_id)
    assert (at_stripe.amount_minor, at_stripe.is_recurring, price.credits) == (1900, True, 20_000)
    portal = gateway.retrieve_portal_configuration(configuration_id=portal_configuration_id(sells=True))
    assert portal.price_ids == (price.stripe_price_id,)


@pytest.mark.parametrize("change", [{"price_minor": 2900}, {"credits": Decimal(25_000)}, {"interval": "year"}])
def test_what_a_price_means_is_never_changed(plan: Plan, gateway: StripeGateway, change: dict[str, object]) -> None:
    actions(gateway)
    before = PlanPrice.objects.get()
    for name, value in change.items():
        setattr(plan, name, value)
    plan.stripe_product_id = Plan.objects.get().stripe_product_id
    plan.save()

    assert actions(gateway) == [("pro", "create_price"), ("pro", "deactivate_price"), ("portal", "configure_portal")]

    before.refresh_from_db()
    after = PlanPrice.objects.get(is_current=True)
    assert (before.is_current, before.amount_minor, before.credits) == (False, 1900, 20_000)
    assert after.stripe_price_id != before.stripe_price_id
    assert not gateway.retrieve_price(price_id=before.stripe_price_id).is_active
    assert PortalConfiguration.objects.filter(sells=True).count() == 1


def test_free_and_agreed_plans_have_no_price(gateway: StripeGateway) -> None:
    Plan.objects.create(slug="free", name="Free", price_minor=0, credits=Decimal(100))
    Plan.objects.create(slug="enterprise", name="Enterprise", rank=9, price_minor=None)

    assert actions(gateway) == []


def test_refused_plan_does_not_stop_the_others(
    plan: Plan, gateway: StripeGateway, stripe_sandbox: SandboxServer
) -> None:
    Plan.objects.create(slug="odd", name="Odd", price_minor=1900, credits=Decimal(1), interval="never")

    assert ("odd", "refused") in actions(gateway)
    assert PlanPrice.objects.get().plan == plan
    stripe_sandbox.breaches.clear()


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_make_one_price(plan: Plan, gateway: StripeGateway) -> None:
    at_once(*[lambda: actions(gateway)] * 3)

    assert PlanPrice.objects.filter(is_current=True).count() == PlanPrice.objects.count() == 1
