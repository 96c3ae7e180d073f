"""POST /api/v1/admin/credits by a key of staff: let in where staff made it for that, with its user's rights."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from billing.models import Adjustment, AuditEntry, BillingCustomer, CreditBalance
from billing.services.customers import ensure_customer
from billing.tests.api.conftest import Program, make_program, make_staff

pytestmark = pytest.mark.django_db


def body_for(customer: BillingCustomer, amount: str = "250.5") -> dict[str, Any]:
    return {
        "customer": customer.public_id,
        "amount": amount,
        "reason_code": "outage",
        "note": "Our outage on Monday",
        "ticket": "https://desk.example.com/4711",
    }


def posted(customer: BillingCustomer) -> Decimal:
    return Decimal(CreditBalance.objects.get(pk=customer.pk).posted)


def test_a_key_of_staff_gives_credits_once(platform: Program, agent: User, buyer: BillingCustomer) -> None:
    first, again = (platform.post("/admin/credits", body_for(buyer), key="outage-1") for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 201)
    assert again["Idempotent-Replayed"] == "true"
    assert posted(buyer) == Decimal("1250.5")
    assert Adjustment.objects.get().requested_by == agent
    assert AuditEntry.objects.filter(actor=agent, customer=buyer).exists()


def test_above_the_limit_it_waits_for_a_second_person(platform: Program, buyer: BillingCustomer) -> None:
    answer = platform.post("/admin/credits", body_for(buyer, "10000000"))

    assert answer.status_code == 202
    assert posted(buyer) == 1000


def test_without_the_scope_it_is_refused(agent: User, buyer: BillingCustomer) -> None:
    answer = make_program(agent, "read", "spend").post("/admin/credits", body_for(buyer))

    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert posted(buyer) == 1000


def test_the_key_has_no_more_rights_than_its_user(buyer: BillingCustomer) -> None:
    reader = make_staff("reader@example.com", "view_ledgerentry")

    answer = make_program(reader, "customers").post("/admin/credits", body_for(buyer))

    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
    assert posted(buyer) == 1000


def test_a_customers_key_made_by_staff_is_no_key_of_staff(agent: User, buyer: BillingCustomer) -> None:
    integration = make_program(buyer.user, "read", "spend", "customers", created_by=agent)

    answer = integration.post("/admin/credits", body_for(buyer))

    assert answer.status_code == 403
    assert posted(buyer) == 1000


def test_staff_give_nothing_to_themselves_by_a_key_either(platform: Program, agent: User) -> None:
    own = ensure_customer(user=agent)

    answer = platform.post("/admin/credits", body_for(own))

    assert (answer.status_code, answer.json()["code"]) == (403, "own_account")


def test_a_revoked_key_and_one_of_somebody_who_left_are_refused(
    platform: Program, agent: User, buyer: BillingCustomer
) -> None:
    agent.is_staff = False
    agent.save()
    assert platform.post("/admin/credits", body_for(buyer), key="left").status_code == 403

    agent.is_staff, agent.is_active = True, False
    agent.save()
    assert platform.post("/admin/credits", body_for(buyer), key="inactive").status_code == 401
    assert posted(buyer) == 1000
