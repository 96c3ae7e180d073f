from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from billing.models import BillingCustomer, CreditBalance, CreditHold, CreditPack, LedgerEntry, Payment
from billing.services.verification import find_ledger_faults
from sandbox.demo.accounts import OWNER, STAFF
from sandbox.demo.seeding import Seeded, seed_everything
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db
NOWHERE = "http://127.0.0.1:1"


def seed(*, stand_in: SandboxServer | None = None) -> Seeded:
    return seed_everything(now=timezone.now(), stand_in=stand_in)


@pytest.fixture(autouse=True)
def _stripe_out_of_reach(settings: Any) -> None:
    settings.STRIPE_API_BASE = NOWHERE


@pytest.fixture
def reachable(stripe_sandbox: SandboxServer, settings: Any) -> SandboxServer:
    settings.STRIPE_API_BASE = stripe_sandbox.base_url
    return stripe_sandbox


@pytest.mark.parametrize(("account", "page"), [(OWNER, "/billing/"), (STAFF, "/admin/")])
def test_both_people_can_log_in(client: Client, account: Any, page: str) -> None:
    seed()

    response = client.post("/accounts/login/", {"login": account.email, "password": account.password, "next": page})

    assert (response.status_code, response["Location"]) == (302, page)


def test_the_owner_has_a_history_of_every_sort(reachable: SandboxServer) -> None:
    seeded = seed(stand_in=reachable)

    assert seeded.notes == []
    assert seeded.has_bought
    customer = BillingCustomer.objects.get(user__email=OWNER.email)
    kinds = set(LedgerEntry.objects.filter(customer=customer).values_list("kind", flat=True))
    assert kinds == {"signup_bonus", "promotion", "usage", "purchase"}
    balance = CreditBalance.objects.get(customer=customer)
    assert balance.posted > 10_000
    assert balance.held > 0
    assert balance.next_expiry_at is not None
    assert Payment.objects.get().state == "paid"
    assert CreditPack.objects.exclude(stripe_price_id="").count() == 3


def test_seeding_again_makes_nothing_twice(reachable: SandboxServer) -> None:
    first = seed(stand_in=reachable)
    rows = [model.objects.count() for model in (LedgerEntry, CreditHold, Payment, CreditPack, BillingCustomer)]

    second = seed(stand_in=reachable)

    assert [model.objects.count() for model in (LedgerEntry, CreditHold, Payment, CreditPack, BillingCustomer)] == rows
    assert second.entries == first.entries
    assert second.catalog_changes == 0


def test_a_pack_that_staff_edited_stays_so() -> None:
    seed()
    CreditPack.objects.filter(slug="starter").update(name="Edited")

    seed()

    assert CreditPack.objects.get(slug="starter").name == "Edited"


def test_without_stripe_the_rest_is_seeded_and_it_says_so() -> None:
    seeded = seed()

    assert len(seeded.packs) == 3
    assert not seeded.has_bought
    assert "left out" in seeded.notes[0]


def test_the_command_answers_in_json() -> None:
    out = StringIO()

    call_command("seed_demo", json=True, stdout=out)

    assert json.loads(out.getvalue())["accounts"] == [OWNER.email, STAFF.email]


@pytest.mark.parametrize("change", [{"IS_PRODUCTION": True}, {"STRIPE_SECRET_KEY": "sk_live_1"}])
def test_production_and_live_keys_are_refused(settings: Any, change: dict[str, Any]) -> None:
    for name, value in change.items():
        setattr(settings, name, value)

    with pytest.raises(CommandError) as refusal:
        call_command("seed_demo")

    assert refusal.value.returncode == 2
    assert not BillingCustomer.objects.exists()


def test_the_books_of_the_demo_are_true(reachable: SandboxServer) -> None:
    seed(stand_in=reachable)

    assert list(find_ledger_faults()) == []
