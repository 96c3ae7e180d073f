"""POST /api/v1/admin/credits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.models import Adjustment, AuditEntry, BillingCustomer, CreditBalance, LedgerEntry
from billing.services.adjustments import approve_adjustment
from billing.services.customers import ensure_customer
from billing.tests.api.conftest import give, make_staff
from billing.tests.api.test_ground import check_problem

pytestmark = pytest.mark.django_db


def body_for(customer: BillingCustomer, /, **changes: Any) -> dict[str, Any]:
    body = {
        "customer": customer.public_id,
        "amount": "250.5",
        "reason_code": "outage",
        "note": "Our outage on Monday",
        "ticket": "https://desk.example.com/4711",
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def posted(customer: BillingCustomer) -> Decimal:
    return Decimal(CreditBalance.objects.get(pk=customer.pk).posted)


def test_credits_within_the_limits_are_posted(api: Client, agent: User, customer: BillingCustomer) -> None:
    answer = give(api, body_for(customer), **{"X-Forwarded-For": "198.51.100.1"})

    assert answer.status_code == 201
    assert answer["Content-Type"] == "application/json"
    assert "Idempotent-Replayed" not in answer
    given, adjustment, entry = answer.json(), Adjustment.objects.get(), LedgerEntry.objects.get()
    assert given["entry"] == {
        "id": f"led_{customer.public_id[5:]}_1",
        "object": "ledger_entry",
        "customer": customer.public_id,
        "sequence": 1,
        "kind": "adjustment",
        "amount": "250.500000",
        "balance_after": "250.500000",
        "description": "Our outage on Monday",
        "payment": None,
        "hold": None,
        "occurred_at": entry.occurred_at.isoformat().replace("+00:00", "Z"),
        "created_at": entry.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert {name: given[name] for name in ("id", "object", "state", "amount", "limit_reason", "decide_until")} == {
        "id": adjustment.public_id,
        "object": "adjustment",
        "state": "posted",
        "amount": "250.500000",
        "limit_reason": None,
        "decide_until": None,
    }
    audit = AuditEntry.objects.get(action="adjustment.request")
    assert (audit.actor, audit.address, audit.customer) == (agent, "127.0.0.1", customer)


def test_above_a_limit_it_waits(api: Client, customer: BillingCustomer) -> None:
    answer = give(api, body_for(customer, amount="1000.000001"))

    assert answer.status_code == 202
    given = answer.json()
    assert (given["state"], given["entry"]) == ("waiting", None)
    assert given["limit_reason"] == "More than 1,000 credits at once need a second person."
    assert given["decide_until"].endswith("Z")
    assert posted(customer) == 0


def test_replay_gives_the_first_answer(api: Client, customer: BillingCustomer) -> None:
    first = give(api, body_for(customer))
    again = give(api, body_for(customer, amount="250.500", customer=customer.user.email))  # type: ignore[union-attr]

    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Idempotent-Replayed"] == "true"
    assert posted(customer) == Decimal("250.5")


def test_replay_of_what_waited_gives_the_first_answer_after_the_decision(
    api: Client, customer: BillingCustomer
) -> None:
    first = give(api, body_for(customer, amount="5000"))
    boss = make_staff("boss@example.com", "approve_credits")
    approve_adjustment(adjustment_id=first.json()["id"], actor=boss, address="")

    again = give(api, body_for(customer, amount="5000"))

    assert (again.status_code, again.json()) == (202, first.json())
    assert again["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("change", [{"amount": "250"}, {"note": "Another"}, {"ticket": None}, {"reason_code": "other"}])
def test_key_of_another_request_is_refused(api: Client, customer: BillingCustomer, change: dict[str, Any]) -> None:
    give(api, body_for(customer))

    problem = check_problem(give(api, body_for(customer, **change)), status=422, code="idempotency_conflict")

    assert problem["key"] == "one"
    assert Adjustment.objects.count() == 1


def test_same_key_of_two_people_are_two_intents(api: Client, customer: BillingCustomer) -> None:
    other = Client()
    other.force_login(make_staff("other@example.com", "adjust_credits"))

    assert [give(client, body_for(customer)).status_code for client in (api, other)] == [201, 201]
    assert posted(customer) == 501


@pytest.mark.parametrize(
    ("key", "code"),
    [(None, "idempotency_key_required"), ("", "idempotency_key_required"), ("k" * 256, "invalid_request")],
)
def test_key_is_required(api: Client, customer: BillingCustomer, key: str | None, code: str) -> None:
    check_problem(give(api, body_for(customer), key=key), status=400, code=code)

    assert not Adjustment.objects.exists()


def test_long_keys_are_told_apart(api: Client, customer: BillingCustomer) -> None:
    for ending in ("a", "b"):
        assert give(api, body_for(customer), key="k" * 254 + ending).status_code == 201
    assert posted(customer) == 501


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"amount": None}, "invalid_request", "amount"),
        ({"amount": 10.5}, "invalid_amount", "amount"),
        ({"amount": "ten"}, "invalid_amount", "amount"),
        ({"amount": "0"}, "invalid_amount", "amount"),
        ({"amount": True}, "invalid_amount", "amount"),
        ({"amount": "0.0000001"}, "invalid_amount", "amount"),
        ({"amount": ["5"]}, "invalid_amount", "amount"),
        ({"note": None}, "invalid_request", "note"),
        ({"note": " "}, "invalid_request", "note"),
        ({"note": "x" * 501}, "invalid_request", "note"),
        ({"note": "a\0b"}, "invalid_request", "note"),
        ({"note": "\ud800"}, "invalid_request", "note"),
        ({"note": {"a": 1}}, "invalid_request", "note"),
        ({"note": 5}, "invalid_request", "note"),
        ({"reason_code": "because"}, "invalid_request", "reason_code"),
        ({"reason_code": None}, "invalid_request", "reason_code"),
        ({"ticket": "http://desk.example.com"}, "invalid_request", "ticket"),
        ({"customer": None}, "invalid_request", "customer"),
        ({"customer": "nobody@example.com"}, "invalid_request", "customer"),
        ({"customer": "cust_nobody"}, "invalid_request", "customer"),
        ({"ammount": "5"}, "invalid_request", "ammount"),
        ({"may_leave_debt": True}, "invalid_request", "may_leave_debt"),
    ],
)
def test_field_at_fault_is_named(
    api: Client, customer: BillingCustomer, change: dict[str, Any], code: str, field: str
) -> None:
    problem = check_problem(give(api, body_for(customer, **change)), status=400, code=code)

    assert problem["field"] == field
    assert field in problem["detail"]
    assert not Adjustment.objects.exists()


def test_all_fields_at_fault_are_listed(api: Client) -> None:
    problem = check_problem(give(api, {"ammount": "5", "nothing": 1}), status=400, code="invalid_request")
    assert [error["field"] for error in problem["errors"]] == ["ammount", "nothing"]

    problem = check_problem(give(api, {}), status=400, code="invalid_request")
    assert {error["field"] for error in problem["errors"]} == {"customer", "amount", "reason_code", "note"}


def test_debit_takes_what_is_available_and_no_more(api: Client, customer: BillingCustomer) -> None:
    give(api, body_for(customer, amount=100), key="give")

    assert give(api, body_for(customer, amount="-60"), key="take").status_code == 201
    problem = check_problem(
        give(api, body_for(customer, amount="-40.5"), key="more"), status=402, code="insufficient_credits"
    )

    assert (problem["available"], problem["required"]) == ("40.000000", "40.500000")
    assert posted(customer) == 40


def test_write_off_is_a_reason(api: Client, customer: BillingCustomer) -> None:
    answer = give(api, body_for(customer, amount="5", reason_code="write_off"))

    check_problem(answer, status=409, code="nothing_to_write_off")


def test_nobody_credits_themselves(api: Client, agent: User) -> None:
    answer = give(api, body_for(ensure_customer(user=agent)))

    check_problem(answer, status=403, code="own_account")


@pytest.mark.parametrize("name", ["public_id", "stripe_customer_id", "email"])
def test_customer_is_found_by_any_name(api: Client, customer: BillingCustomer, name: str) -> None:
    customer.stripe_customer_id = "cus_ada"
    customer.save()
    assert customer.user is not None
    called = customer.user.email.upper() if name == "email" else getattr(customer, name)

    assert give(api, body_for(customer, customer=called)).status_code == 201
