"""The customer portal, against the sandbox."""

from typing import Any

import pytest

from billing.errors import StripeRefused
from billing.gateway.client import StripeGateway
from billing.gateway.portal import (
    PortalFlow,
    PortalPlan,
    parse_portal_configuration,
    parse_portal_session,
    portal_digest,
)
from sandbox.stripe.server import SandboxServer

BACK = "http://127.0.0.1/billing/plans/"


@pytest.fixture
def stripe(stripe_sandbox: SandboxServer) -> StripeGateway:
    return StripeGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url, max_network_retries=0)


@pytest.fixture
def customer_id(stripe: StripeGateway) -> str:
    return stripe.create_customer(email="a@example.com", reference="cust_1", idempotency_key="customer-1").id


def make_plan(stripe: StripeGateway, stripe_sandbox: SandboxServer, name: str) -> PortalPlan:
    """A plan at Stripe with one monthly price."""
    sdk: Any = stripe._client
    product = sdk.v1.products.create({"name": name})
    price = sdk.v1.prices.create(
        {"product": product.id, "unit_amount": 1900, "currency": "usd", "recurring": {"interval": "month"}}
    )
    return PortalPlan(product_id=product.id, price_ids=[price.id])


def test_configuration_offers_the_plans_and_is_changed(stripe: StripeGateway, stripe_sandbox: SandboxServer) -> None:
    pro, plus = make_plan(stripe, stripe_sandbox, "Pro"), make_plan(stripe, stripe_sandbox, "Pro Plus")

    made = stripe.create_portal_configuration(plans=[pro], return_url=BACK, idempotency_key="portal-1")
    changed = stripe.update_portal_configuration(
        configuration_id=made.id, plans=[pro, plus], return_url=BACK, idempotency_key="portal-2"
    )

    assert made.is_active
    assert (made.digest, made.set_by) == (portal_digest(plans=[pro], return_url=BACK), "portal-1")
    assert (changed.digest, changed.set_by) == (portal_digest(plans=[pro, plus], return_url=BACK), "portal-2")
    assert changed.id == made.id
    read = stripe.retrieve_portal_configuration(configuration_id=made.id)
    assert read.price_ids == (*pro.price_ids, *plus.price_ids)
    stored = stripe_sandbox.control.get_object(made.id) or {}
    update = stored["features"]["subscription_update"]
    assert update["proration_behavior"] == "always_invoice"
    assert [one["type"] for one in update["schedule_at_period_end"]["conditions"]] == [
        "decreasing_item_amount",
        "shortening_interval",
    ]
    assert stored["features"]["subscription_cancel"]["mode"] == "at_period_end"


def test_configuration_without_plans_changes_none(stripe: StripeGateway, stripe_sandbox: SandboxServer) -> None:
    made = stripe.create_portal_configuration(plans=[], return_url=BACK, idempotency_key="portal-1")

    stored = stripe_sandbox.control.get_object(made.id) or {}
    assert stored["features"]["subscription_update"]["enabled"] is False
    assert made.price_ids == ()


def test_two_prices_of_one_interval_cannot_be_told_apart(stripe: StripeGateway, stripe_sandbox: SandboxServer) -> None:
    plan = make_plan(stripe, stripe_sandbox, "Pro")
    twice = PortalPlan(product_id=plan.product_id, price_ids=[*plan.price_ids, *plan.price_ids])

    with pytest.raises(StripeRefused):
        stripe.create_portal_configuration(plans=[twice], return_url=BACK, idempotency_key="portal-1")


def test_session_needs_a_configuration(stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str) -> None:
    with pytest.raises(StripeRefused):
        stripe.create_portal_session(customer_id=customer_id, return_url=BACK, idempotency_key="session-1")

    made = stripe.create_portal_configuration(plans=[], return_url=BACK, idempotency_key="portal-1")
    by_default = stripe.create_portal_session(customer_id=customer_id, return_url=BACK, idempotency_key="session-2")
    named = stripe.create_portal_session(
        customer_id=customer_id, return_url=BACK, configuration_id=made.id, idempotency_key="session-3"
    )

    assert by_default.customer_id == named.customer_id == customer_id
    assert by_default.url != named.url
    assert named.url not in repr(named)


def test_flow_leads_back_when_it_is_done(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    stripe.create_portal_configuration(plans=[], return_url=BACK, idempotency_key="portal-1")

    made = stripe.create_portal_session(
        customer_id=customer_id,
        return_url=BACK,
        flow=PortalFlow(type="payment_method_update"),
        idempotency_key="session-1",
    )

    stored = stripe_sandbox.control.get_object(made.id) or {}
    assert stored["flow"]["type"] == "payment_method_update"
    assert stored["flow"]["after_completion"]["redirect"] == {"return_url": BACK}


@pytest.mark.parametrize("kind", ["subscription_cancel", "subscription_update_confirm"])
def test_flow_of_an_unknown_subscription_is_refused(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str, kind: str
) -> None:
    plan = make_plan(stripe, stripe_sandbox, "Pro")
    stripe.create_portal_configuration(plans=[plan], return_url=BACK, idempotency_key="portal-1")
    flow = PortalFlow(type=kind, subscription_id="sub_none", item_id="si_none", price_id=plan.price_ids[0])

    with pytest.raises(StripeRefused):
        stripe.create_portal_session(customer_id=customer_id, return_url=BACK, flow=flow, idempotency_key="session-1")


@pytest.mark.parametrize(
    "odd",
    [None, 0, "", [], [[]], {}, {"subscription_update": {"products": [7]}}, {"set_by": ["²"], "digest": 7}, True],
)
def test_odd_objects_never_raise(odd: Any) -> None:
    names = ["id", "customer", "url", "features", "active", "metadata"]

    configuration = parse_portal_configuration(dict.fromkeys(names, odd))
    session = parse_portal_session(dict.fromkeys(names, odd))

    assert configuration.id == session.id == ""
    assert configuration.digest == configuration.set_by == ""
