from __future__ import annotations

import json
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Model
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, User
from billing.models import (
    Adjustment,
    AuditEntry,
    BillingCustomer,
    CreditBalance,
    CreditHold,
    CreditPack,
    CustomerFlag,
    CustomerNote,
    LedgerEntry,
    OperationPrice,
    Payment,
    PaymentDispute,
    PaymentRefund,
    PricingConfig,
    ReconciliationFinding,
    ReconciliationRun,
    RefundRequest,
)
from billing.selectors.prices import find_operation_price, find_price
from billing.services.prices import withdraw_price
from billing.services.verification import find_ledger_faults
from sandbox.demo.accounts import DEBTOR, DEMO_ACCOUNTS, OWNER
from sandbox.demo.seeding import Seeded, seed_everything
from sandbox.stripe.server import SandboxServer
from usage.models import UsageEvent

pytestmark = pytest.mark.django_db
NOWHERE = "http://127.0.0.1:1"
SEEDED: list[type[Model]] = [LedgerEntry, CreditHold, Payment, CreditPack, BillingCustomer, CustomerNote, CustomerFlag]
SEEDED += [
    Adjustment,
    AuditEntry,
    PaymentRefund,
    PaymentDispute,
    RefundRequest,
    ReconciliationRun,
    ReconciliationFinding,
    PricingConfig,
    OperationPrice,
    UsageEvent,
    ApiKey,
]


def seed(*, stand_in: SandboxServer | None = None) -> Seeded:
    return seed_everything(now=timezone.now(), stand_in=stand_in)


@pytest.fixture(autouse=True)
def _stripe_out_of_reach(settings: Any) -> None:
    settings.STRIPE_API_BASE = NOWHERE


@pytest.fixture
def reachable(stripe_sandbox: SandboxServer, settings: Any) -> SandboxServer:
    settings.STRIPE_API_BASE = stripe_sandbox.base_url
    return stripe_sandbox


def test_everybody_can_log_in_with_the_rights_of_their_group() -> None:
    seed()

    for account in DEMO_ACCOUNTS:
        page = "/admin/" if account.is_staff else "/billing/"
        form = {"login": account.email, "password": account.password, "next": page}
        response = Client().post("/accounts/login/", form)
        assert (response.status_code, response["Location"]) == (302, page)
        user = User.objects.get(email=account.email)
        assert [group.name for group in user.groups.all()] == ([account.group] if account.group else [])
        assert user.is_superuser is (account.is_staff and not account.group)


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
    assert Payment.objects.get(customer=customer).state == "paid"
    assert CreditPack.objects.exclude(stripe_price_id="").count() == 3


def test_seeding_again_makes_nothing_twice(reachable: SandboxServer) -> None:
    first = seed(stand_in=reachable)
    rows = [model._default_manager.count() for model in SEEDED]

    second = seed(stand_in=reachable)

    assert [model._default_manager.count() for model in SEEDED] == rows
    assert second.entries == first.entries
    assert second.catalog_changes == 0


def test_pages_of_staff_have_something_true_to_show(reachable: SandboxServer) -> None:
    seed(stand_in=reachable)

    assert {"paid", "processing", "failed", "pending", "review"} <= set(Payment.objects.values_list("state", flat=True))
    assert {"succeeded", "pending", "failed"} == set(PaymentRefund.objects.values_list("status", flat=True))
    statuses = set(PaymentDispute.objects.values_list("status", flat=True))
    assert statuses == {"warning_needs_response", "needs_response", "won", "lost"}
    assert set(Adjustment.objects.values_list("state", flat=True)) == {"posted", "waiting", "declined"}
    assert set(RefundRequest.objects.values_list("state", flat=True)) == {"accepted", "waiting"}
    found = set(ReconciliationFinding.objects.filter(state="open").values_list("kind", flat=True))
    assert {"paid_not_granted", "payment_not_ours", "payment_mismatched"} <= found
    assert CreditBalance.objects.get(customer__user__email=DEBTOR.email).posted == -900
    frozen = CreditBalance.objects.exclude(frozen_at=None).values_list("customer__user__email", flat=True)
    assert set(frozen) == {"frozen@example.com", "disputed@example.com", "fraud-warning@example.com"}


def test_a_pack_that_staff_edited_stays_so() -> None:
    seed()
    CreditPack.objects.filter(slug="starter").update(name="Edited")

    seed()

    assert CreditPack.objects.get(slug="starter").name == "Edited"


def test_models_and_operations_have_prices_since_before_the_work_of_the_demo(settings: Any) -> None:
    now = timezone.now()

    seeded = seed()

    assert {settings.SUMMARY_MODEL, "gpt-5", "gpt-5-nano", "text-embedding-3-small", "image"} <= set(seeded.prices)
    oldest = LedgerEntry.objects.order_by("occurred_at")[0].occurred_at
    for name in PricingConfig.objects.values_list("model", flat=True):
        assert find_price(model=name, at=oldest).markup_percent == 25
    assert find_operation_price(operation="image", at=now).credits == 5
    assert find_operation_price(operation="api-call", at=now).usd == Decimal("0.001")


def test_a_price_that_staff_set_stays_so() -> None:
    seed()
    withdrawn = withdraw_price(model="gpt-5", note="Too dear")

    seed()

    assert PricingConfig.objects.filter(model="gpt-5").latest("effective_from") == withdrawn


def test_without_stripe_the_rest_is_seeded_and_it_says_so() -> None:
    seeded = seed()

    assert len(seeded.packs) == 3
    assert not seeded.has_bought
    assert "left out" in seeded.notes[0]


def test_the_command_answers_in_json() -> None:
    out = StringIO()

    call_command("seed_demo", json=True, stdout=out)

    assert json.loads(out.getvalue())["accounts"] == sorted(account.email for account in DEMO_ACCOUNTS)


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


def test_the_owner_has_metered_calls_of_several_days_models_and_keys() -> None:
    seed()

    events = UsageEvent.objects.filter(customer__user__email=OWNER.email)
    assert events.dates("occurred_at", "day").count() >= 10
    assert len(set(events.values_list("model", flat=True))) >= 5
    assert len(set(events.values_list("api_key__name", flat=True))) == 3
    assert set(events.values_list("status", flat=True)) == {"completed", "interrupted", "failed"}
    assert {"reported", "delivered", "recorded", "nothing"} == set(events.values_list("basis", flat=True))
    assert not events.filter(status="failed").exclude(credits=0).exists()
    charged = events.filter(credits__gt=0)
    assert not charged.filter(entry__isnull=True).exists()
    assert charged.filter(basis="reported").exclude(estimated_credits=F("credits")).exists()
    entries = LedgerEntry.objects.filter(customer__user__email=OWNER.email, kind="usage").order_by("sequence")
    moments = list(entries.values_list("occurred_at", flat=True))
    assert moments == sorted(moments)
    assert list(find_ledger_faults()) == []
