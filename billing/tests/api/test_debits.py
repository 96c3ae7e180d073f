"""POST debits: credits spent at once, exactly once."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.models import BillingCustomer, IdempotentAnswer, LedgerEntry
from billing.services.customers import freeze_customer
from billing.services.holds import place_hold, settle_hold
from billing.tests.api.conftest import Program
from billing.tests.api.test_ground import check_problem

pytestmark = pytest.mark.django_db
BODY = {"amount": "12.5", "description": "Two pages translated"}


def posted(program: Program) -> str:
    return str(program.get("/balance").json()["posted"])


def test_debit_answers_its_entry(program: Program, buyer: BillingCustomer) -> None:
    answer = program.post("/debits", BODY)

    assert answer.status_code == 201, answer.content
    entry = LedgerEntry.objects.get(customer=buyer, sequence=2)
    body = answer.json()
    assert body.pop("occurred_at") == body.pop("created_at")
    assert body == {
        "id": f"led_{buyer.public_id.removeprefix('cust_')}_2",
        "object": "ledger_entry",
        "customer": buyer.public_id,
        "sequence": 2,
        "kind": "usage",
        "amount": "-12.500000",
        "balance_after": "987.500000",
        "description": "Two pages translated",
        "payment": None,
        "hold": None,
    }
    assert (entry.source_type, entry.source_id) == ("caller", f"key:{program.key.key_id}")


def test_whole_numbers_are_amounts_too(program: Program) -> None:
    assert program.post("/debits", {"amount": 3, "description": "Three"}).json()["amount"] == "-3.000000"


def test_more_than_there_is_says_what_there_is_and_where_to_buy(program: Program, buyer: BillingCustomer) -> None:
    place_hold(customer_id=buyer.pk, amount=900, key="work")

    answer = program.post("/debits", {**BODY, "amount": "100.000001"})

    refusal = check_problem(answer, status=402, code="insufficient_credits")
    assert (refusal["available"], refusal["required"]) == ("100.000000", "100.000001")
    assert refusal["top_up_url"].endswith("/billing/buy/")
    assert "debt" not in refusal
    assert not IdempotentAnswer.objects.exists()


def test_debt_is_explained_to_programs_too(program: Program, buyer: BillingCustomer) -> None:
    hold = place_hold(customer_id=buyer.pk, amount=900, key="work")
    settle_hold(hold=hold.public_id, amount=1250)

    refusal = check_problem(program.post("/debits", BODY), status=402, code="insufficient_credits")

    assert (refusal["available"], refusal["debt"]) == ("0.000000", "250.000000")
    assert "You owe 250 credits; the next purchase repays them first." in refusal["detail"]


def test_frozen_customers_spend_nothing(program: Program, buyer: BillingCustomer) -> None:
    freeze_customer(customer_id=buyer.pk, reason="A look at it")

    check_problem(program.post("/debits", BODY), status=403, code="customer_frozen")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"amount": "0"}, "invalid_amount", "amount"),
        ({"amount": "-1"}, "invalid_amount", "amount"),
        ({"amount": "NaN"}, "invalid_amount", "amount"),
        ({"amount": "Infinity"}, "invalid_amount", "amount"),
        ({"amount": "1e400"}, "invalid_amount", "amount"),
        ({"amount": "0.0000001"}, "invalid_amount", "amount"),
        ({"amount": 1.5}, "invalid_amount", "amount"),
        ({"amount": True}, "invalid_amount", "amount"),
        ({"amount": []}, "invalid_amount", "amount"),
        ({"amount": ""}, "invalid_amount", "amount"),
        ({"amount": None}, "invalid_request", "amount"),
        ({"amount": "10000000000000.1"}, "invalid_amount", "amount"),
        ({"description": ""}, "invalid_request", "description"),
        ({"description": 5}, "invalid_request", "description"),
        ({"description": "x" * 501}, "invalid_request", "description"),
        ({"description": " " + "x" * 500}, "invalid_request", "description"),
        ({"amount": "1e3"}, "invalid_amount", "amount"),
        ({"amount": " 5"}, "invalid_amount", "amount"),
        ({"description": "a\0b"}, "invalid_request", "description"),
        ({"description": None}, "invalid_request", "description"),
        ({"ammount": "5"}, "invalid_request", "ammount"),
    ],
)
def test_fields_that_cannot_be_used_are_named(program: Program, change: dict[str, Any], code: str, field: str) -> None:
    answer = program.post("/debits", {**BODY, **change})

    assert check_problem(answer, status=400, code=code)["field"] == field
    assert posted(program) == "1000.000000"


@pytest.mark.parametrize("missing", ["amount", "description"])
def test_fields_that_are_missing_are_named(program: Program, missing: str) -> None:
    body = {name: value for name, value in BODY.items() if name != missing}

    assert check_problem(program.post("/debits", body), status=400, code="invalid_request")["field"] == missing


def test_intent_needs_a_name(program: Program) -> None:
    check_problem(program.post("/debits", BODY, key=None), status=400, code="idempotency_key_required")
    check_problem(program.post("/debits", BODY, key="x" * 256), status=400, code="invalid_request")

    assert program.post("/debits", BODY, key="x" * 255).status_code == 201


def test_parameters_in_the_address_are_refused(program: Program) -> None:
    answer = program.post("/debits?dry_run=1", BODY)

    assert check_problem(answer, status=400, code="invalid_request")["field"] == "dry_run"


def test_session_spends_for_itself_with_its_token(buyer: BillingCustomer) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert buyer.user is not None
    browser.force_login(buyer.user)
    headers = {"Idempotency-Key": "one"}
    browser.cookies["csrftoken"] = "x" * 32

    refused = browser.post("/api/v1/debits", BODY, content_type="application/json", headers=headers)
    headers["X-CSRFToken"] = "x" * 32
    done = browser.post("/api/v1/debits", BODY, content_type="application/json", headers=headers)

    check_problem(refused, status=403, code="csrf_failed")
    assert done.status_code == 201
    assert LedgerEntry.objects.get(sequence=2).source_id == f"user:{buyer.user.pk}"


def test_debit_takes_few_queries(program: Program, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    program.post("/debits", BODY)

    # the key with its customer, begin, the kept answer, lock, read, write, the key's month, the answer, commit
    with django_assert_num_queries(9):
        program.post("/debits", BODY, key="two")
