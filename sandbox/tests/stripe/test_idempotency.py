"""One key, one effect."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from sandbox.tests.stripe.shop import Shop, wait_until


def test_replay_gives_the_first_answer_and_acts_once(shop: Shop) -> None:
    first = shop.client.v1.customers.create({"email": "ada@example.com"}, {"idempotency_key": "k1"})

    again = shop.client.v1.customers.create({"email": "ada@example.com"}, {"idempotency_key": "k1"})

    assert again.id == first.id
    assert again.last_response
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert first.last_response
    assert again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert len(shop.client.v1.customers.list().data) == 1
    assert shop.event_types().count("customer.created") == 1


def test_other_parameters_with_the_same_key_are_refused(shop: Shop) -> None:
    shop.client.v1.customers.create({"email": "ada@example.com"}, {"idempotency_key": "k1"})

    with pytest.raises(stripe.IdempotencyError) as refused:
        shop.client.v1.customers.create({"email": "bob@example.com"}, {"idempotency_key": "k1"})

    assert refused.value.http_status == 400


def test_key_in_flight_is_refused(shop: Shop) -> None:
    shop.control.add_fault("slow", method="POST", path="/v1/customers", seconds=0.5)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(shop.client.v1.customers.create, {}, {"idempotency_key": "k1"})
        wait_until(lambda: shop.server.sandbox._in_flight)

        with pytest.raises(stripe.StripeError) as refused:
            shop.client.v1.customers.create({}, {"idempotency_key": "k1"})

        assert refused.value.http_status == 409
        assert "idempotency_key_in_use" in str(refused.value.http_body)
        assert first.result(timeout=5).id


def test_sdk_retries_a_key_in_flight_until_it_is_answered(shop: Shop) -> None:
    shop.control.add_fault("slow", method="POST", path="/v1/customers", seconds=0.4)
    patient = stripe.StripeClient("sk_test_x", base_addresses={"api": shop.server.base_url}, max_network_retries=5)
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(patient.v1.customers.create, {}, {"idempotency_key": "k1"}) for _ in range(2)]

        assert len({made.result(timeout=10).id for made in both}) == 1


def test_refused_request_does_not_use_up_its_key(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        shop.client.v1.prices.create(
            {"product": "prod_later", "currency": "usd", "unit_amount": 100}, {"idempotency_key": "k1"}
        )
    shop.client.v1.products.create({"id": "prod_later", "name": "Later"})

    price = shop.client.v1.prices.create(
        {"product": "prod_later", "currency": "usd", "unit_amount": 100}, {"idempotency_key": "k1"}
    )

    assert price.product == "prod_later"


def test_events_name_the_request_and_its_key(shop: Shop) -> None:
    customer = shop.client.v1.customers.create({}, {"idempotency_key": "k1"})

    event = shop.control.list_events("customer.created")[0]

    assert customer.last_response
    assert event["request"] == {"id": customer.last_response.headers["Request-Id"], "idempotency_key": "k1"}
