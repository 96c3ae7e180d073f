"""The wire protocol: keys, versions, parameters, errors, lists, expansion."""

import base64
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
import stripe

from sandbox.stripe.server import SandboxServer
from sandbox.tests.stripe.shop import Shop


def ask(server: SandboxServer, path: str, **headers: str) -> tuple[int, Any, Any]:
    """Status, JSON and headers of a request made without the SDK."""
    request = urllib.request.Request(server.base_url + path, headers=headers)  # noqa: S310 (our own server)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return response.status, json.load(response), response.headers
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), error.headers


def test_request_without_a_key_is_refused(stripe_sandbox: SandboxServer) -> None:
    status, answer, headers = ask(stripe_sandbox, "/v1/customers")

    assert (status, answer["error"]["type"]) == (401, "invalid_request_error")
    assert headers["Request-Id"].startswith("req_")


@pytest.mark.parametrize("key", ["sk_live_x", "pk_test_x", "nonsense"])
def test_key_that_is_no_secret_test_key_is_refused(stripe_sandbox: SandboxServer, key: str) -> None:
    client = stripe.StripeClient(key, base_addresses={"api": stripe_sandbox.base_url})

    with pytest.raises(stripe.AuthenticationError):
        client.v1.customers.list()


def test_basic_authentication_works(stripe_sandbox: SandboxServer) -> None:
    basic = base64.b64encode(b"sk_test_x:").decode()

    status, answer, headers = ask(stripe_sandbox, "/v1/customers", Authorization=f"Basic {basic}")

    assert (status, answer) == (200, {"object": "list", "data": [], "has_more": False, "url": "/v1/customers"})
    assert headers["Stripe-Version"] == stripe.api_version


def test_another_version_of_the_api_is_refused(stripe_sandbox: SandboxServer) -> None:
    headers = {"Authorization": "Bearer sk_test_x", "Stripe-Version": "2020-08-27"}

    status, answer, _ = ask(stripe_sandbox, "/v1/customers", **headers)

    assert status == 400
    assert "2020-08-27" in answer["error"]["message"]
    assert stripe_sandbox.breaches
    stripe_sandbox.breaches.clear()


def test_unknown_address_is_refused(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as refused:
        shop.client.raw_request("get", "/v1/nonsense")

    assert refused.value.http_status == 404


def test_object_that_is_not_there_yet_is_refused_by_name(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="The sandbox does not have it"):
        shop.client.v1.billing.credit_grants.list()


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"nonsense": "1"}, "nonsense", "parameter_unknown"),
        ({"ui_mode": "embedded"}, "ui_mode", None),
        ({"payment_method_types": ["card"]}, "payment_method_types", "parameter_unknown"),
        ({"line_items": [{"price": "p", "quantity": "two"}]}, "line_items[0][quantity]", "parameter_invalid_integer"),
        ({"allow_promotion_codes": "perhaps"}, "allow_promotion_codes", "parameter_invalid_boolean"),
    ],
)
def test_request_that_breaks_the_contract_is_refused_and_noted(
    shop: Shop, params: dict[str, Any], param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.open_session(**params)

    assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)
    assert len(shop.server.breaches) == 1
    assert "POST /v1/checkout/sessions" in shop.server.breaches[0]
    shop.server.breaches.clear()


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"mode": "setup"}, "mode"),
        ({"mode": "subscription"}, "line_items[0][price]"),
        ({"line_items": []}, "line_items"),
        ({"line_items": [{"price": "price_none", "quantity": 1}]}, "line_items[0][price]"),
        ({"line_items": [{"quantity": 1}]}, "line_items[0]"),
        ({"success_url": "http://x", "return_url": "http://x"}, "return_url"),
        ({"ui_mode": "embedded_page"}, "return_url"),
        ({"ui_mode": "embedded_page", "return_url": "http://x"}, "success_url"),
        ({"customer": "cus_none"}, "customer"),
        ({"expires_at": 1}, "expires_at"),
        ({"expires_at": 4_000_000_000}, "expires_at"),
        ({"client_reference_id": "x" * 201}, "client_reference_id"),
        ({"discounts": [{"coupon": "X"}]}, "discounts"),
    ],
)
def test_session_that_stripe_refuses(shop: Shop, params: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.open_session(**params)

    assert refused.value.param == param


def test_amount_below_the_least_is_refused(shop: Shop) -> None:
    def open_for(amount: int) -> None:
        described = {"currency": "usd", "unit_amount": amount, "product_data": {"name": "Credits"}}
        shop.open_session(line_items=[{"price_data": described, "quantity": 1}])

    open_for(50)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        open_for(49)

    assert refused.value.code == "amount_too_small"


def test_mixed_currencies_are_refused(shop: Shop) -> None:
    euro = {"currency": "eur", "unit_amount": 500, "product_data": {"name": "Credits"}}

    with pytest.raises(stripe.InvalidRequestError, match="same currency"):
        shop.open_session(line_items=[{"price": shop.price.id, "quantity": 1}, {"price_data": euro, "quantity": 1}])


def test_deleted_customer_cannot_pay(shop: Shop) -> None:
    customer = shop.client.v1.customers.create()
    shop.client.v1.customers.delete(customer.id)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.open_session(customer=customer.id)

    assert (refused.value.code, refused.value.param) == ("resource_missing", "customer")


def test_lists_go_back_and_forth_by_cursor(shop: Shop) -> None:
    customers = shop.client.v1.customers
    made = [customers.create({"email": f"{number}@example.com"}).id for number in range(5)]
    newest_first = made[::-1]

    first = customers.list({"limit": 2})
    second = customers.list({"limit": 2, "starting_after": first.data[-1].id})
    back = customers.list({"limit": 2, "ending_before": second.data[-1].id})

    assert [found.id for found in first.data] == newest_first[:2]
    assert first.has_more
    assert [found.id for found in second.data] == newest_first[2:4]
    assert [found.id for found in back.data] == newest_first[1:3]
    assert back.has_more
    assert [found.id for found in customers.list({"limit": 2}).auto_paging_iter()] == newest_first


@pytest.mark.parametrize("limit", [0, 101])
def test_limit_out_of_bounds_is_refused(shop: Shop, limit: int) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        shop.client.v1.customers.list({"limit": limit})


def test_unknown_cursor_is_refused(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.client.v1.customers.list({"starting_after": "cus_none"})

    assert refused.value.param == "starting_after"


def test_lists_are_filtered(shop: Shop) -> None:
    sessions = shop.client.v1.checkout.sessions
    paid, waiting = shop.open_session(), shop.open_session()
    shop.control.pay_session(paid.id, email="ada@example.com")

    assert [found.id for found in sessions.list({"status": "open"}).data] == [waiting.id]
    assert [found.id for found in sessions.list({"customer_details": {"email": "ada@example.com"}}).data] == [paid.id]
    assert sessions.list({"created": {"lt": paid.created}}).data == []
    assert len(sessions.list({"created": {"gte": paid.created}}).data) == 2


def test_expansion_reaches_into_lists(shop: Shop) -> None:
    session = shop.open_session()
    shop.control.pay_session(session.id)

    page = shop.client.v1.checkout.sessions.list(
        {"expand": ["data.payment_intent.latest_charge", "data.line_items.data.price.product"]}
    )

    intent, lines = page.data[0].payment_intent, page.data[0].line_items
    assert isinstance(intent, stripe.PaymentIntent)
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert lines
    assert lines.data[0].price
    assert isinstance(lines.data[0].price.product, stripe.Product)


@pytest.mark.parametrize("path", ["status", "nonsense", "payment_intent.amount"])
def test_what_cannot_be_expanded_is_refused(shop: Shop, path: str) -> None:
    session = shop.open_session()
    shop.control.pay_session(session.id)

    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        shop.read_session(session.id, path)
