"""Customers of a product that bills through us, and acting for them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.models import BillingCustomer, CreditBalance, LedgerEntry
from billing.tests.api.conftest import CREDITS, ENTRIES, Program, give_credits, make_program, make_staff
from billing.tests.api.test_ground import check_problem

pytestmark = pytest.mark.django_db
ADA: dict[str, Any] = {"external_id": "user-17", "email": "ada@example.com"}


def test_customer_is_made_once(platform: Program) -> None:
    made = platform.post("/customers", ADA, key=None)
    again = platform.post("/customers", ADA, key=None)

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    customer = BillingCustomer.objects.get(external_id="user-17")
    body = made.json()
    assert body.pop("created_at").endswith("Z")
    assert body == {"id": customer.public_id, "object": "customer", **ADA}
    assert CreditBalance.objects.get(customer=customer).posted == 0
    assert not LedgerEntry.objects.exists()  # no bonus


def test_new_email_replaces_the_one_kept_and_none_leaves_it(platform: Program) -> None:
    platform.post("/customers", ADA, key=None)

    left = platform.post("/customers", {"external_id": "user-17"}, key=None)
    changed = platform.post("/customers", {**ADA, "email": "ada@example.org"}, key=None)

    assert (left.status_code, left.json()["email"]) == (200, "ada@example.com")
    assert (changed.status_code, changed.json()["email"]) == (200, "ada@example.org")


def test_customer_without_email(platform: Program) -> None:
    assert platform.post("/customers", {"external_id": "x"}, key=None).json()["email"] is None


def test_replay_gives_the_first_answer(platform: Program) -> None:
    made = platform.post("/customers", ADA)
    again = platform.post("/customers", ADA)
    other = platform.post("/customers", {"external_id": "user-18"})

    assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (201, made.json(), "true")
    check_problem(other, status=422, code="idempotency_conflict")
    assert not BillingCustomer.objects.filter(external_id="user-18").exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"external_id": ""}, "external_id"),
        ({"external_id": None}, "external_id"),
        ({"external_id": 17}, "external_id"),
        ({"external_id": "a b"}, "external_id"),
        ({"external_id": "é"}, "external_id"),
        ({"external_id": "a\0"}, "external_id"),
        ({"external_id": "cust_abc"}, "external_id"),
        ({"external_id": "x" * 256}, "external_id"),
        ({"email": "nobody"}, "email"),
        ({"email": ""}, "email"),
        ({"email": 5}, "email"),
        ({"name": "Ada"}, "name"),
    ],
)
def test_fields_of_a_customer_that_cannot_be_used_are_named(
    platform: Program, change: dict[str, Any], field: str
) -> None:
    answer = platform.post("/customers", {**ADA, **change}, key=None)

    assert check_problem(answer, status=400, code="invalid_request")["field"] == field


@pytest.mark.parametrize("name", ["user-17", "cust", "tenant/42"])
def test_customer_is_read_by_either_id(platform: Program, name: str) -> None:
    external_id = "user-17" if name == "cust" else name
    made = platform.post("/customers", {"external_id": external_id}, key=None).json()

    assert platform.get(f"/customers/{made['id'] if name == 'cust' else name}").json() == made


@pytest.mark.parametrize("name", ["nobody", "cust_nobody", "%00", "a%00b"])
def test_customers_that_are_none_are_404(platform: Program, name: str) -> None:
    assert platform.get(f"/customers/{name}").status_code == 404


def test_customers_need_their_scope_and_a_key(program: Program, client: Client, agent: User) -> None:
    client.force_login(agent)

    for refused in (
        program.post("/customers", ADA),
        program.get("/customers/user-17"),
        client.post("/api/v1/customers", ADA, content_type="application/json"),
        client.get("/api/v1/customers/user-17"),
    ):
        assert check_problem(refused, status=403, code="scope_missing")["scope"] == "customers"


@pytest.mark.parametrize("by_external_id", [True, False])
def test_key_for_customers_acts_for_the_one_it_names(platform: Program, by_external_id: bool) -> None:
    made = platform.post("/customers", ADA, key=None).json()
    name = made["external_id" if by_external_id else "id"]
    give_credits(BillingCustomer.objects.get(public_id=made["id"]), 50)

    debit = platform.post("/debits", {"amount": 8, "description": "Work"}, Billing_Customer=name)
    entries = platform.get("/ledger-entries", **{"Billing-Customer": name}).json()["data"]

    assert (debit.status_code, debit.json()["customer"]) == (201, made["id"])
    assert entries[0] == debit.json()
    assert platform.get("/balance", **{"Billing-Customer": name}).json()["posted"] == "42.000000"
    assert platform.get("/balance").json()["posted"] == "0.000000"  # its own


def test_one_key_names_intents_of_each_customer_apart(platform: Program) -> None:
    made = [platform.post("/customers", {"external_id": name}, key=None).json()["id"] for name in ("a", "b")]
    for customer in BillingCustomer.objects.filter(public_id__in=made):
        give_credits(customer, 50)
    body = {"amount": 8, "description": "Work"}

    first, second = (platform.post("/debits", body, key="same", Billing_Customer=name) for name in ("a", "b"))

    assert (first.status_code, second.status_code) == (201, 201)
    assert {first.json()["customer"], second.json()["customer"]} == set(made)


@pytest.mark.parametrize("name", ["nobody", "cust_nobody", "a\0b", "x" * 300, "é"])
def test_named_customers_that_are_none_are_404(platform: Program, name: str) -> None:
    check_problem(platform.get("/balance", **{"Billing-Customer": name}), status=404, code="customer_not_found")


def test_only_keys_for_customers_name_one(program: Program, buyer: BillingCustomer, client: Client) -> None:
    assert buyer.user is not None
    client.force_login(buyer.user)
    named = {"Billing-Customer": buyer.public_id}

    check_problem(program.get("/balance", **named), status=403, code="scope_missing")
    check_problem(client.get("/api/v1/balance", headers=named), status=403, code="scope_missing")


def test_key_of_staff_for_customers_opens_what_staff_may(platform: Program, buyer: BillingCustomer) -> None:
    body = {"customer": buyer.public_id, "amount": "5", "reason_code": "goodwill", "note": "Sorry"}

    given = platform.post(CREDITS.removeprefix("/api/v1"), body)
    listed = platform.get(ENTRIES.removeprefix("/api/v1"))

    assert given.status_code == 201, given.content
    assert listed.json()["data"][0] == given.json()["entry"]


def test_other_keys_of_staff_do_not(agent: User, program: Program) -> None:
    spending = make_program(agent, "read", "spend")
    clerk = make_program(make_staff("clerk@example.com"), "customers")
    path = ENTRIES.removeprefix("/api/v1")

    assert check_problem(spending.get(path), status=403, code="scope_missing")["scope"] == "customers"
    check_problem(clerk.get(path), status=403, code="not_permitted")
    check_problem(program.get(path), status=403, code="permission_denied")


def test_empty_key_is_no_key_even_where_none_is_needed(platform: Program) -> None:
    refused = platform.post("/customers", {"external_id": "user-1"}, key="")

    check_problem(refused, status=400, code="idempotency_key_required")
    assert not BillingCustomer.objects.filter(external_id="user-1").exists()
