"""Plans over the API: what there is, what one has, subscribing, and the way into the portal."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, Payment, Plan, PortalConfiguration
from billing.services.catalog import sync_catalog
from billing.tests.api.conftest import Program, make_program
from billing.tests.api.test_ground import check_problem
from billing.tests.plan_subscriptions import make_free, subscribe
from billing.tests.plan_world import make_plan
from billing.tests.shop import make_pack
from billing.tests.views.test_invoices import make_credit_note, make_invoice
from sandbox.stripe.server import SandboxServer


@pytest.fixture
def at_stripe(gateway: StripeGateway, transactional_db: None) -> Plan:
    """Pro with a price at the sandbox, and the portal set up."""
    plan = Plan.objects.create(slug="pro", name="Pro", rank=1, credits=20_000, price_minor=1900)
    list(sync_catalog(gateway=gateway, dry_run=False))
    return plan


@pytest.mark.django_db
def test_plans_are_listed_from_the_smallest_and_by_pages(program: Program) -> None:
    make_free(max_api_keys=2)
    make_plan("pro", requests_per_minute=1200, features=["Answers in a day"], trial_days=7)
    Plan.objects.create(slug="enterprise", name="Enterprise", rank=9)
    make_plan("retired", is_active=False)

    first = program.get("/plans?limit=2").json()
    rest = program.get("/plans?starting_after=pro").json()

    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert [plan["slug"] for plan in first["data"] + rest["data"]] == ["free", "pro", "enterprise"]
    pro: dict[str, Any] = first["data"][1]
    assert (pro["credits"], pro["price_minor"], pro["trial_days"]) == ("20000.000000", 1900, 7)
    assert pro["limits"] == {"requests_per_minute": 1200, "max_call_tokens": None, "models": [], "max_api_keys": None}
    assert rest["data"][0]["price_minor"] is None
    check_problem(program.get("/plans?starting_after=gone"), status=400, code="invalid_request")


@pytest.mark.django_db
def test_nothing_is_listed_or_sold_where_billing_is_off(program: Program, settings: Settings) -> None:
    make_plan("pro")
    settings.STRIPE_BILLING_ENABLED = False

    assert program.get("/plans").json()["data"] == []
    check_problem(program.post("/checkout-sessions", {"plan": "pro"}), status=410, code="nothing_sold")
    check_problem(program.post("/portal-sessions", {"flow": "change_plan"}), status=410, code="nothing_sold")
    assert program.get("/subscription").status_code == 200


@pytest.mark.django_db
def test_who_has_no_subscription_is_told_of_free(program: Program, settings: Settings) -> None:
    settings.FREE_PLAN_CREDITS = 100
    make_free(max_api_keys=2)

    answer = program.get("/subscription").json()

    assert answer == {
        "object": "subscription",
        "tier": "free",
        "status": "none",
        "is_past_due": False,
        "expires_at": None,
        "cancel_at": None,
        "trial_end": None,
        "next_plan": None,
        "changes_at": None,
        "credits": {
            "available": "1000.000000",
            "usage_this_month": "0.000000",
            "limit": "100.000000",
            "included_left": "0.000000",
        },
        "limits": {"requests_per_minute": None, "max_call_tokens": None, "models": [], "max_api_keys": 2},
        "invoices": [],
    }


@pytest.mark.django_db
def test_a_subscription_is_told_with_its_times_and_last_invoices(program: Program, buyer: BillingCustomer) -> None:
    end = timezone.now() + timedelta(days=3)
    subscribe(buyer, make_plan("pro"), status="trialing", trial_end=end, period_end=end, cancel_at=end)
    for number in range(6):
        invoice = make_invoice(buyer, f"A-{number}")
    make_credit_note(invoice, "CN-1", total_minor=500)
    make_credit_note(invoice, "CN-2", total_minor=300, is_void=True, voided_at=timezone.now())

    answer = program.get("/subscription").json()

    assert (answer["tier"], answer["status"], answer["credits"]["limit"]) == ("pro", "trialing", "20000.000000")
    assert answer["trial_end"] == answer["cancel_at"] == answer["expires_at"]
    assert answer["expires_at"] is not None
    assert [invoice["number"] for invoice in answer["invoices"]] == [f"A-{number}" for number in (5, 4, 3, 2, 1)]
    newest = answer["invoices"][0]
    assert (newest["total_minor"], newest["tax_minor"], newest["credited_minor"]) == (2261, 361, 500)


@pytest.mark.django_db
def test_a_plan_past_due_is_told_after_the_grace_too(program: Program, buyer: BillingCustomer) -> None:
    make_free()
    since = timezone.now() - timedelta(days=30)
    subscribe(buyer, make_plan("pro"), status="past_due", past_due_since=since)

    answer = program.get("/subscription").json()

    assert (answer["tier"], answer["status"], answer["is_past_due"]) == ("free", "none", True)


@pytest.mark.django_db(transaction=True)
def test_a_plan_is_subscribed_to_by_one_checkout(program: Program, at_stripe: Plan) -> None:
    opened = program.post("/checkout-sessions", {"plan": "pro"})
    again = program.post("/checkout-sessions", {"plan": "pro"})

    assert opened.status_code == 201, opened.content
    assert opened.json() == again.json()
    assert Payment.objects.get().plan == at_stripe


@pytest.mark.django_db(transaction=True)
def test_another_checkout_of_a_plan_ends_the_one_before(
    program: Program, at_stripe: Plan, gateway: StripeGateway
) -> None:
    pack = make_pack()
    of_pack = program.post("/checkout-sessions", {"pack": pack.slug}, key="pack").json()["id"]
    first = program.post("/checkout-sessions", {"plan": "pro"}, key="one").json()["id"]

    second = program.post("/checkout-sessions", {"plan": "pro"}, key="two").json()["id"]

    states = {id: gateway.retrieve_session(session_id=id).status for id in (of_pack, first, second)}
    assert states == {of_pack: "open", first: "expired", second: "open"}


@pytest.mark.django_db
@pytest.mark.parametrize("body", [{}, {"pack": "standard", "plan": "pro"}, {"plan": 7}, {"plan": ""}])
def test_one_thing_is_bought_at_a_time(program: Program, body: dict[str, Any]) -> None:
    check_problem(program.post("/checkout-sessions", body), status=400, code="invalid_request")


@pytest.mark.django_db
def test_what_cannot_be_subscribed_to_is_refused(program: Program, buyer: BillingCustomer) -> None:
    check_problem(program.post("/checkout-sessions", {"plan": "gone"}), status=410, code="plan_unavailable")
    make_plan("pro_plus", rank=2)
    subscribe(buyer, make_plan("pro"))

    refused = program.post("/checkout-sessions", {"plan": "pro_plus"}, key="two")

    check_problem(refused, status=409, code="already_subscribed")


@pytest.mark.django_db(transaction=True)
def test_the_portal_is_opened_with_an_address_of_the_product(program: Program, at_stripe: Plan) -> None:
    answer = program.post("/portal-sessions", {"flow": "update_card", "return_url": "https://product.example.com/x"})

    assert answer.status_code == 201, answer.content
    assert set(answer.json()) == {"object", "url"}
    assert "/p/session/" in answer.json()["url"]
    assert program.post("/portal-sessions", key=None).status_code == 201


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("off", [{"STRIPE_BILLING_ENABLED": False}, {"STRIPE_BILLING_COHORT": 0}])
def test_while_nothing_is_sold_the_portal_without_sale_is_opened(
    program: Program, at_stripe: Plan, stripe_sandbox: SandboxServer, settings: Settings, off: dict[str, object]
) -> None:
    def last_opened() -> str:
        session = stripe_sandbox.control.list_objects("billing_portal.session")[0]
        return str(session["configuration"])

    settings.CHECKOUT_SESSIONS_PER_MINUTE = 0
    assert program.post("/portal-sessions", key="one").status_code == 201
    assert last_opened() == PortalConfiguration.objects.get(sells=True).configuration_id
    for name, value in off.items():
        setattr(settings, name, value)

    assert program.post("/portal-sessions", key="two").status_code == 201

    without_sale = PortalConfiguration.objects.get(sells=False)
    assert last_opened() == without_sale.configuration_id
    without_sale.delete()
    check_problem(program.post("/portal-sessions", key="three"), status=503, code="portal_not_ready")
    assert program.post("/portal-sessions", {"flow": "update_card"}, key="three-card").status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        {"flow": "dance"},
        {"flow": "cancel"},
        {"flow": "manage", "plan": "pro"},
        {"return_url": "javascript:alert(1)"},
        {"return_url": "/billing/"},
        {"return_url": "https://"},
        {"return_url": "http://[x"},
        {"return_url": "https://product.example.com/a b"},
    ],
)
def test_a_portal_that_cannot_be_opened_is_refused(program: Program, body: dict[str, str]) -> None:
    check_problem(program.post("/portal-sessions", body), status=400, code="invalid_request")


@pytest.mark.django_db(transaction=True)
def test_too_many_ways_into_the_portal_are_refused(program: Program, at_stripe: Plan, settings: Settings) -> None:
    settings.CHECKOUT_SESSIONS_PER_MINUTE = 1
    cache.clear()

    first = program.post("/portal-sessions", key="one")
    refused = program.post("/portal-sessions", key="two")
    cache.clear()

    assert first.status_code == 201
    check_problem(refused, status=429, code="rate_limited")
    assert 1 <= int(refused["Retry-After"]) <= 60


@pytest.mark.django_db
def test_keys_that_only_read_open_no_portal(buyer: BillingCustomer) -> None:
    reader = make_program(buyer.user, "read")

    assert reader.get("/subscription").status_code == 200
    check_problem(reader.post("/portal-sessions"), status=403, code="scope_missing")
