"""Portal configurations and sessions over the API."""

from typing import Any

import pytest
import stripe

from sandbox.tests.stripe.shop import Shop

UNTOUCHED: dict[str, Any] = {"invoice_history": {"enabled": True}}


@pytest.fixture
def customer(shop: Shop) -> str:
    return shop.client.v1.customers.create({"email": "ada@example.com", "name": "Ada"}).id


@pytest.fixture
def plan(shop: Shop) -> stripe.Price:
    return shop.client.v1.prices.create(
        {"product_data": {"name": "Pro"}, "unit_amount": 1900, "currency": "usd", "recurring": {"interval": "month"}}
    )


def configure(shop: Shop, **features: Any) -> stripe.billing_portal.Configuration:
    return shop.client.v1.billing_portal.configurations.create(
        {"features": {**UNTOUCHED, **features}, "default_return_url": "http://shop.test/back"}  # type: ignore[typeddict-item]
    )


def offer(plan: stripe.Price) -> dict[str, Any]:
    return {
        "enabled": True,
        "default_allowed_updates": ["price"],
        "products": [{"product": plan.product, "prices": [plan.id]}],
    }


def test_first_configuration_is_the_default(shop: Shop, customer: str) -> None:
    first, second = configure(shop), configure(shop)

    listed = shop.client.v1.billing_portal.configurations.list({"is_default": True})
    session = shop.client.v1.billing_portal.sessions.create({"customer": customer})

    assert [found.id for found in listed.data] == [first.id]
    assert (first.is_default, second.is_default) == (True, False)
    assert (session.configuration, session.return_url) == (first.id, "http://shop.test/back")
    assert session.url.startswith(shop.server.base_url + "/p/session/")
    with pytest.raises(stripe.InvalidRequestError, match="deactivated"):
        shop.client.v1.billing_portal.configurations.update(first.id, {"active": False})
    assert shop.client.v1.billing_portal.configurations.update(second.id, {"active": False}).active is False


def test_update_keeps_what_it_does_not_name(shop: Shop, plan: stripe.Price) -> None:
    made = configure(shop, subscription_update=offer(plan))

    changed = shop.client.v1.billing_portal.configurations.update(
        made.id, {"features": {"subscription_cancel": {"enabled": True, "mode": "immediately"}}}
    )

    assert changed.features.subscription_cancel.mode == "immediately"
    assert changed.features.subscription_update.enabled
    assert changed.features.invoice_history.enabled
    assert shop.event_types()[-1] == "billing_portal.configuration.updated"


def test_plans_on_offer_must_exist_and_recur(shop: Shop, plan: stripe.Price) -> None:
    for broken in (
        {**offer(plan), "products": []},
        {**offer(plan), "default_allowed_updates": []},
        {**offer(plan), "products": [{"product": plan.product, "prices": ["price_none"]}]},
        {**offer(plan), "products": [{"product": shop.price.product, "prices": [shop.price.id]}]},
        {**offer(plan), "products": [{"product": plan.product, "prices": [plan.id, plan.id]}]},
    ):
        with pytest.raises(stripe.InvalidRequestError):
            configure(shop, subscription_update=broken)


@pytest.mark.parametrize(
    "params",
    [
        {"configuration": "bpc_none"},
        {"customer": "cus_none"},
        {"flow_data": {"type": "payment_method_update"}},
        {"flow_data": {"type": "subscription_pause", "subscription_pause": {"subscription": "sub_none"}}},
        {"flow_data": {"type": "subscription_cancel"}},
        {"flow_data": {"type": "subscription_cancel", "subscription_cancel": {"subscription": "sub_none"}}},
    ],
)
def test_session_that_cannot_be_is_refused(shop: Shop, customer: str, params: dict[str, Any]) -> None:
    configure(shop, subscription_cancel={"enabled": True})

    with pytest.raises(stripe.InvalidRequestError):
        shop.client.v1.billing_portal.sessions.create({"customer": customer, **params})  # type: ignore[arg-type]


def test_session_needs_somewhere_to_go_back_to(shop: Shop, customer: str) -> None:
    shop.client.v1.billing_portal.configurations.create({"features": UNTOUCHED})  # type: ignore[typeddict-item]

    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        shop.client.v1.billing_portal.sessions.create({"customer": customer})
