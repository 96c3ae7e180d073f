"""GET credit-packs and POST checkout-sessions: what is for sale, and how a program sells it."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack, IdempotentAnswer, Payment
from billing.tests.api.conftest import Program
from billing.tests.api.test_ground import check_problem
from billing.tests.shop import WEBHOOK_SECRET, credited, deliver, make_pack, work_off_all
from sandbox.stripe.server import SandboxServer


@pytest.mark.django_db
def test_packs_for_sale_in_the_order_of_the_shop(program: Program) -> None:
    second = make_pack(slug="big", position=2, lifetime_days=365, description="For teams")
    make_pack(slug="gone", is_active=False)
    make_pack(slug="small", position=1, bonus_credits=0)

    answer = program.get("/credit-packs").json()

    assert [pack["slug"] for pack in answer.pop("data")] == ["small", "big"]
    assert answer == {"object": "list", "url": "/api/v1/credit-packs", "has_more": False}
    page = program.get("/credit-packs?limit=1").json()
    assert page["has_more"]
    assert program.get("/credit-packs?starting_after=small").json()["data"] == [
        {
            "slug": "big",
            "object": "credit_pack",
            "name": second.name,
            "description": "For teams",
            "credits": "10000.000000",
            "bonus_credits": "500.000000",
            "price_minor": 1000,
            "currency": "usd",
            "lifetime_days": 365,
        }
    ]


@pytest.mark.django_db
def test_nothing_is_for_sale_where_billing_is_off(program: Program, pack: CreditPack, settings: Settings) -> None:
    settings.STRIPE_BILLING_ENABLED = False

    assert program.get("/credit-packs").json()["data"] == []
    check_problem(program.post("/checkout-sessions", {"pack": pack.slug}), status=410, code="nothing_sold")


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["starting_after=gone", "limit=0", "kind=x", "starting_after=%00"])
def test_parameters_of_packs_that_cannot_be_used_are_refused(program: Program, query: str) -> None:
    check_problem(program.get(f"/credit-packs?{query}"), status=400, code="invalid_request")


@pytest.mark.django_db(transaction=True)
def test_checkout_is_opened_once(program: Program, pack: CreditPack, gateway: StripeGateway) -> None:
    opened = program.post("/checkout-sessions", {"pack": pack.slug})
    again = program.post("/checkout-sessions", {"pack": pack.slug})
    other = program.post("/checkout-sessions", {"pack": pack.slug, "ui_mode": "hosted"})

    assert opened.status_code == 201, opened.content
    payment = Payment.objects.get()
    assert opened.json()["client_secret"]
    assert {**opened.json(), "client_secret": None} == {
        "client_secret": None,
        "id": payment.checkout_session_id,
        "object": "checkout_session",
        "payment": payment.public_id,
        "url": None,
    }
    assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (201, opened.json(), "true")
    check_problem(other, status=422, code="idempotency_conflict")


@pytest.mark.django_db(transaction=True)
def test_hosted_checkout_has_an_address(program: Program, pack: CreditPack, gateway: StripeGateway) -> None:
    body = program.post("/checkout-sessions", {"pack": pack.slug, "ui_mode": "hosted"}).json()

    assert body["url"].startswith("http")
    assert body["client_secret"] is None


@pytest.mark.django_db(transaction=True)
def test_without_a_name_each_asking_opens_one(program: Program, pack: CreditPack, gateway: StripeGateway) -> None:
    for _ in range(2):
        assert program.post("/checkout-sessions", {"pack": pack.slug}, key=None).status_code == 201

    assert Payment.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_lost_answer_ends_in_the_same_session(program: Program, pack: CreditPack, gateway: StripeGateway) -> None:
    opened = program.post("/checkout-sessions", {"pack": pack.slug})
    IdempotentAnswer.objects.all().delete()  # as after a crash between Stripe's answer and ours

    again = program.post("/checkout-sessions", {"pack": pack.slug})

    assert (again.status_code, again.json()) == (201, opened.json())
    assert Payment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_stripe_away_leaves_the_key_free(
    program: Program, pack: CreditPack, gateway: StripeGateway, settings: Settings
) -> None:
    there = settings.STRIPE_API_BASE
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    refused = program.post("/checkout-sessions", {"pack": pack.slug})
    settings.STRIPE_API_BASE = there
    opened = program.post("/checkout-sessions", {"pack": pack.slug})

    check_problem(refused, status=503, code="stripe_unavailable")
    assert opened.status_code == 201, opened.content


@pytest.mark.django_db(transaction=True)
def test_too_many_checkouts_wait(
    program: Program, pack: CreditPack, gateway: StripeGateway, settings: Settings
) -> None:
    settings.CHECKOUT_SESSIONS_PER_MINUTE = 1
    program.post("/checkout-sessions", {"pack": pack.slug})

    refused = program.post("/checkout-sessions", {"pack": pack.slug}, key="two")

    check_problem(refused, status=429, code="checkout_rate_limited")
    assert 1 <= int(refused["Retry-After"]) <= 60


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pack": ""}, "pack"),
        ({"pack": 1}, "pack"),
        ({"pack": "a\0"}, "pack"),
        ({"ui_mode": "popup"}, "ui_mode"),
        ({"ui_mode": []}, "ui_mode"),
        ({"price": 1}, "price"),
    ],
)
def test_fields_of_a_checkout_that_cannot_be_used_are_named(
    program: Program, change: dict[str, Any], field: str
) -> None:
    answer = program.post("/checkout-sessions", {"pack": "small", **change})

    assert check_problem(answer, status=400, code="invalid_request")["field"] == field


@pytest.mark.django_db
def test_pack_that_is_not_for_sale(program: Program) -> None:
    check_problem(program.post("/checkout-sessions", {"pack": "nothing"}), status=410, code="pack_unavailable")


@pytest.mark.django_db(transaction=True)
def test_what_a_program_sold_is_credited(
    platform: Program, pack: CreditPack, gateway: StripeGateway, stripe_sandbox: SandboxServer
) -> None:
    made = platform.post("/customers", {"external_id": "user-17", "email": "ada@example.com"}, key=None).json()
    session = platform.post("/checkout-sessions", {"pack": pack.slug}, Billing_Customer="user-17").json()

    stripe_sandbox.control.pay_session(session["id"])
    for signed in stripe_sandbox.control.take_events(secret=WEBHOOK_SECRET):
        assert deliver(signed) == 200
    work_off_all(gateway)

    payment = Payment.objects.get(public_id=session["payment"])
    assert payment.customer == BillingCustomer.objects.get(public_id=made["id"])
    assert credited(payment).credits == 10_500
