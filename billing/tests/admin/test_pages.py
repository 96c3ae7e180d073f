from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin as django_admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from billing.kinds import EntryKind
from billing.models import LedgerEntry
from billing.tests.admin.conftest import World, post_to

pytestmark = pytest.mark.django_db
REGISTERED = sorted(django_admin.site._registry, key=lambda model: model._meta.label)
EDITED = {"CreditPack", "Plan"}
WITHOUT_PAGES = {"AdjustmentDay", "HistoricalCreditPack"}  # a lock; the versions of a pack, which its own page shows
WITHOUT_PAGES |= {"ApiKeySpending", "IdempotentAnswer"}  # a sum that the key's page shows; answers kept for a replay
# The lines and periods of invoices, and their money, which payments, ledger and books show; who has had a trial.
WITHOUT_PAGES |= {"InvoiceLine", "PlanPeriod", "PlanMovement", "TrialGrant", "PortalConfiguration", "HistoricalPlan"}
WITHOUT_PAGES |= {"PlanPrice", "VoucherGuess", "NotificationPreferences"}  # in their plan; counts; in settings
WITHOUT_PAGES |= {"WebhookAttempt", "CreditNote"}  # the tries of a message, and what an invoice was credited: in theirs
READ_ONLY = [
    model.__name__ for model in REGISTERED if model._meta.app_label == "billing" and model.__name__ not in EDITED
]


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_every_model_of_billing_is_registered() -> None:
    names = {model.__name__ for model in apps.get_app_config("billing").get_models() if not model._meta.auto_created}

    assert names - WITHOUT_PAGES == {*READ_ONLY, *EDITED}


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
@pytest.mark.usefixtures("world")
def test_every_list_opens_and_searches(admin: Client, model: type[Model]) -> None:
    page = admin.get(address(model, "changelist"))

    assert page.status_code == 200
    assert admin.get(address(model, "changelist"), {"q": "ada@example.com"}).status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
@pytest.mark.usefixtures("world")
def test_every_row_opens(admin: Client, model: type[Model]) -> None:
    for row in model._default_manager.all()[:3]:
        assert admin.get(address(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_add_pages_open_or_are_refused(admin: Client, model: type[Model]) -> None:
    is_closed = model._meta.app_label in ("mfa", "socialaccount", "usage", "usersessions")
    expected = 403 if is_closed or model.__name__ in {*READ_ONLY, "ApiKey"} else 200

    assert admin.get(address(model, "add")).status_code == expected


@pytest.mark.parametrize("name", READ_ONLY)
@pytest.mark.usefixtures("world")
def test_superusers_cannot_add_change_or_delete(admin: Client, name: str) -> None:
    model = apps.get_model("billing", name)
    before = list(model._default_manager.order_by("pk").values())
    targets = [address(model, "add")]
    targets += [address(model, page, row.pk) for row in model._default_manager.all() for page in ("change", "delete")]

    for target in targets:
        response = admin.post(target, {"post": "yes", "amount": "1", "posted": "1", "state": "done", "_save": "Save"})
        assert response.status_code == 403, target
    admin.post(
        address(model, "changelist"),
        {
            "action": "delete_selected",
            "_selected_action": [row.get("pk", 1) for row in before],
            "post": "yes",
        },
    )

    assert list(model._default_manager.order_by("pk").values()) == before


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("BillingCustomer", ["ada@example.com", "cus_ada", "cs_test_ada", "pi_ada", "ch_ada"]),
        ("LedgerEntry", ["ada@example.com", "cus_ada", "pi_ada", "job-1", "api:job-1"]),
        ("CreditGrant", ["ada@example.com", "cus_ada", "cs_test_ada"]),
        ("CreditHold", ["ada@example.com", "cus_ada", "hold-1"]),
        ("CreditBalance", ["ada@example.com", "cus_ada"]),
        ("GrantAllocation", ["ada@example.com", "cus_ada", "job-1"]),
        ("Payment", ["ada@example.com", "cus_ada", "cs_test_ada", "pi_ada", "ch_ada", "form-ada", "checkout-ada"]),
        ("SignupBonus", ["ada@example.com", "cus_ada"]),
        ("StripeEvent", ["ada@example.com", "cus_ada", "cs_test_ada", "evt_ada", "pi_ada"]),
    ],
)
@pytest.mark.usefixtures("world")
def test_rows_are_found_by_address_stripe_id_and_key(admin: Client, name: str, terms: list[str]) -> None:
    model = apps.get_model("billing", name)
    for term in terms:
        found = admin.get(address(model, "changelist"), {"q": term}).context["cl"].result_list
        assert list(found), f"{name} by {term}"
        assert not [
            row for row in found if "bob" in f"{row} {getattr(row, 'customer', '')} {getattr(row, 'event_id', '')}"
        ]
    assert not list(admin.get(address(model, "changelist"), {"q": "nothing-like-it"}).context["cl"].result_list)


def test_public_ids_find_customer_payment_and_hold(admin: Client, world: World) -> None:
    for row in (world.customer, world.payment, world.hold):
        found = admin.get(address(type(row), "changelist"), {"q": row.public_id}).context["cl"].result_list
        assert list(found) == [row]


@pytest.mark.parametrize("name", ["LedgerEntry", "CreditGrant", "BillingCustomer", "GrantAllocation"])
def test_a_list_costs_the_same_queries_for_more_rows(admin: Client, world: World, name: str) -> None:
    model = apps.get_model("billing", name)
    target = address(model, "changelist")
    admin.get(target)
    with CaptureQueriesContext(
        connection,
    ) as few:
        admin.get(target)
    for number in range(10):
        post_to(world.other, 1, kind=EntryKind.PROMOTION, key=f"api:more-{number}")
        post_to(world.other, -1, kind=EntryKind.USAGE, key=f"api:used-{number}")
    with CaptureQueriesContext(connection) as many:
        admin.get(target)

    assert len(many) == len(few)


def test_the_customer_page_shows_balance_and_newest_rows(admin: Client, world: World) -> None:
    page = admin.get(address(type(world.customer), "change", world.customer.pk)).content.decode()

    for expected in (
        "10,460",
        "10,435",
        "25",
        "+10,000",
        "−40",
        world.payment.public_id,
        "Free credits",
        "Bought credits",
    ):
        assert expected in page, expected
    assert f"/admin/billing/ledgerentry/?customer__id__exact={world.customer.pk}" in page
    listed = admin.get(f"/admin/billing/ledgerentry/?customer__id__exact={world.customer.pk}").context["cl"].result_list
    assert {entry.customer_id for entry in listed} == {world.customer.pk}


@pytest.mark.usefixtures("world")
def test_staff_without_rights_see_no_figures() -> None:
    client = Client()
    client.force_login(User.objects.create_user("clerk@example.com", is_staff=True))

    assert client.get("/admin/").context["tiles"] == []
    assert client.get(address(LedgerEntry, "changelist")).status_code == 403


@pytest.mark.parametrize(
    ("key", "base", "expected"),
    [
        ("sk_test_1", "https://api.stripe.com", "https://dashboard.stripe.com/test/customers/cus_ada"),
        ("sk_live_1", "https://api.stripe.com", "https://dashboard.stripe.com/customers/cus_ada"),
        ("sk_test_1", "http://127.0.0.1:8010", "http://127.0.0.1:8010/sandbox/objects/cus_ada/"),
    ],
)
def test_stripe_is_one_click_away_in_the_right_mode(
    admin: Client, world: World, settings: Any, key: str, base: str, expected: str
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = key, base

    page = admin.get(address(type(world.customer), "change", world.customer.pk)).content.decode()

    assert f'href="{expected}"' in page
