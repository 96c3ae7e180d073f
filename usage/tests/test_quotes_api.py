"""`POST /api/v1/quotes`: what it would cost."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.models import CreditHold, PricingConfig
from billing.services.customers import freeze_customer
from usage.metering import metered
from usage.tests.conftest import Send
from usage.tests.factories import MODEL, customer_of, make_operation_price, make_price, make_user

pytestmark = pytest.mark.django_db

URL = "/api/v1/quotes"


def ask(api: Client, **body: Any) -> Any:
    return api.post(URL, body, content_type="application/json")


def test_call_is_quoted_with_its_price_and_nothing_is_held(api: Client, user: User) -> None:
    make_price(markup_percent=50, request_usd="0.002")

    quote = ask(api, model=MODEL, messages=[{"role": "user", "content": "x" * 24}], max_tokens=50).json()

    assert quote == {
        "object": "quote",
        "customer": customer_of(user).public_id,
        "model": MODEL,
        "operation": None,
        "quantity": 1,
        "input_tokens": 10,
        "expected_output_tokens": 50,
        "worst_output_tokens": 50,
        "estimate": "168.000000",
        "worst_case": "168.000000",
        "held": "168.000000",
        "spendable": "1000.000000",
        "covered": True,
        "price": {
            "name": MODEL,
            "effective_from": "2020-01-01T00:00:00Z",
            "credits_per_1k_input_tokens": "1500.000000",
            "credits_per_1k_cached_input_tokens": "750.000000",
            "credits_per_1k_output_tokens": "3000.000000",
            "credits_per_request": "3.000000",
        },
    }
    assert not CreditHold.objects.exists()


def test_quote_is_what_the_call_then_holds(api: Client, user: User, price: PricingConfig) -> None:
    quote = ask(api, model=MODEL, messages=["x" * 24], max_tokens=400).json()

    call = metered(user, MODEL, ["x" * 24], idempotency_key="job-1", max_tokens=400).open()

    assert (quote["estimate"], quote["worst_case"], quote["held"]) == ("210.000000", "810.000000", "210.000000")
    assert (call.estimate, call.worst_case, call.held) == (210, 810, 210)


def test_operation_is_quoted_by_the_piece(api: Client) -> None:
    make_operation_price("image", credits=5)

    quote = ask(api, operation="image", quantity=3).json()

    assert (quote["estimate"], quote["held"], quote["operation"], quote["quantity"]) == (
        "15.000000",
        "15.000000",
        "image",
        3,
    )
    assert quote["price"]["credits_each"] == "5.000000"


@pytest.mark.parametrize(("credits", "covered", "held"), [(1809, False, 1810), (1810, True, 1810), (1811, True, 210)])
def test_quote_says_whether_the_balance_covers_it(
    client_of: Send, price: PricingConfig, credits: int, covered: bool, held: int
) -> None:
    api = client_of(make_user(credits=credits))

    quote = ask(api, model=MODEL, input_tokens=10, max_tokens=900).json()

    assert (quote["covered"], quote["held"]) == (covered, f"{held}.000000")


def test_frozen_customer_is_not_covered(api: Client, user: User, price: PricingConfig) -> None:
    freeze_customer(customer_id=customer_of(user).pk, reason="Dispute")

    assert ask(api, model=MODEL, input_tokens=1).json()["covered"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "model"),
        ({"model": MODEL, "operation": "image"}, "model"),
        ({"model": MODEL}, "input_tokens"),
        ({"model": MODEL, "input_tokens": 1, "messages": ["a"]}, "input_tokens"),
        ({"model": MODEL, "messages": [5]}, "messages.0"),
        ({"model": MODEL, "input_tokens": -1}, "input_tokens"),
        ({"model": MODEL, "input_tokens": True}, "input_tokens"),
        ({"model": MODEL, "input_tokens": 1.5}, "input_tokens"),
        ({"model": MODEL, "input_tokens": 10**10}, "input_tokens"),
        ({"model": MODEL, "input_tokens": 1, "max_tokens": 0}, "max_tokens"),
        ({"model": MODEL, "input_tokens": 1, "answers": 129}, "answers"),
        ({"model": MODEL, "messages": "text"}, "messages"),
        ({"model": MODEL, "messages": []}, "messages"),
        ({"model": MODEL, "input_tokens": 1, "quantity": 2}, "quantity"),
        ({"operation": "image", "max_tokens": 2}, "max_tokens"),
        ({"operation": "image", "quantity": 0}, "quantity"),
        ({"operation": "image", "amount": 1}, "amount"),
        ({"model": "a\0b", "input_tokens": 1}, "model"),
        ({"model": 7, "input_tokens": 1}, "model"),
    ],
    ids=str,
)
def test_field_that_cannot_be_used_is_named(
    api: Client, price: PricingConfig, body: dict[str, Any], field: str
) -> None:
    answer = ask(api, **body)

    assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize(
    ("body", "code"),
    [({"model": "no-model", "input_tokens": 1}, "unknown_model"), ({"operation": "none"}, "unknown_operation")],
    ids=str,
)
def test_what_has_no_price_has_no_quote(api: Client, price: PricingConfig, body: dict[str, Any], code: str) -> None:
    answer = ask(api, **body)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
