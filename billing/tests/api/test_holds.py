"""Holds over the API: placed, settled and released by the key that placed them, and by no other."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from billing.models import BillingCustomer, CreditHold, LedgerEntry
from billing.services.holds import expire_stale_holds, place_hold
from billing.tests.api.conftest import Program, make_program
from billing.tests.api.test_ground import check_problem
from billing.tests.shop import make_customer

pytestmark = pytest.mark.django_db


def place(program: Program, amount: Any = "100", *, key: str = "hold", **fields: Any) -> Any:
    return program.post("/holds", {"amount": amount, **fields}, key=key)


def held(program: Program) -> tuple[str, str]:
    balance = program.get("/balance").json()
    return balance["posted"], balance["held"]


def test_hold_sets_aside(program: Program, buyer: BillingCustomer) -> None:
    answer = place(program, "12.5", description="A film")

    assert answer.status_code == 201, answer.content
    body = dict(answer.json())
    hold = CreditHold.objects.get()
    lasts = datetime.fromisoformat(body.pop("expires_at")) - datetime.fromisoformat(body.pop("placed_at"))
    assert lasts == timedelta(minutes=15)
    assert body == {
        "id": hold.public_id,
        "object": "hold",
        "customer": buyer.public_id,
        "amount": "12.500000",
        "state": "open",
        "settled_amount": None,
        "is_late": False,
        "description": "A film",
        "ended_at": None,
    }
    assert program.get(f"/holds/{hold.public_id}").json() == answer.json()
    assert held(program) == ("1000.000000", "12.500000")


def test_hold_lasts_as_long_as_is_asked_for(program: Program) -> None:
    body = place(program, expires_in_seconds=90).json()

    lasts = datetime.fromisoformat(body["expires_at"]) - datetime.fromisoformat(body["placed_at"])
    assert lasts == timedelta(seconds=90)


def test_settling_charges_the_true_cost_once(program: Program) -> None:
    hold = place(program).json()["id"]

    settled = program.post(f"/holds/{hold}/settle", {"amount": "60.5", "description": "Done"}, key="settle")
    again = program.post(f"/holds/{hold}/settle", {"amount": "60.5"}, key="another key")
    other = program.post(f"/holds/{hold}/settle", {"amount": "61"}, key="a third key")

    assert settled.status_code == 200, settled.content
    assert (settled.json()["state"], settled.json()["settled_amount"]) == ("settled", "60.500000")
    assert again.json() == settled.json()
    check_problem(other, status=409, code="hold_ended")
    assert held(program) == ("939.500000", "0.000000")
    entry = program.get("/ledger-entries").json()["data"][0]
    assert (entry["hold"], entry["amount"], entry["description"]) == (hold, "-60.500000", "Done")


@pytest.mark.parametrize(("amount", "posted"), [("0", "1000.000000"), ("1500", "-500.000000")])
def test_settling_may_cost_nothing_and_more_than_there_is(program: Program, amount: str, posted: str) -> None:
    hold = place(program).json()["id"]

    assert program.post(f"/holds/{hold}/settle", {"amount": amount}, key="settle").status_code == 200

    assert held(program) == (posted, "0.000000")


def test_releasing_gives_back(program: Program) -> None:
    hold = place(program).json()["id"]

    released = program.post(f"/holds/{hold}/release", key=None)
    again = program.post(f"/holds/{hold}/release", key="with a key")
    settled = program.post(f"/holds/{hold}/settle", {"amount": 1}, key="settle")

    assert (released.status_code, released.json()["state"]) == (200, "released")
    assert again.json() == released.json()
    check_problem(settled, status=409, code="hold_ended")
    assert held(program) == ("1000.000000", "0.000000")


def test_release_needs_no_body(program: Program) -> None:
    hold = place(program).json()["id"]
    headers = {"Authorization": f"Bearer {program.text}"}

    assert program.client.generic("POST", f"/api/v1/holds/{hold}/release", headers=headers).status_code == 200


def test_expired_hold_is_settled_late(program: Program) -> None:
    hold = place(program, expires_in_seconds=1).json()["id"]
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        expire_stale_holds(now=timezone.now())
        settled = program.post(f"/holds/{hold}/settle", {"amount": 5}, key="settle")

    assert (settled.json()["state"], settled.json()["is_late"]) == ("settled", True)
    assert held(program) == ("995.000000", "0.000000")


def endings(hold: str) -> list[tuple[str, dict[str, Any]]]:
    return [(f"/holds/{hold}/settle", {"amount": 1}), (f"/holds/{hold}/release", {})]


def test_holds_of_other_keys_do_not_exist(program: Program, buyer: BillingCustomer, client: Client) -> None:
    hold = place(program).json()["id"]
    others = [make_program(buyer.user), make_program(make_customer().user)]

    for other in others:
        check_problem(other.get(f"/holds/{hold}"), status=404, code="hold_not_found")
        for path, body in endings(hold):
            check_problem(other.post(path, body, key=path), status=404, code="hold_not_found")
    assert buyer.user is not None
    client.force_login(buyer.user)
    for path, body in endings(hold):
        answer = client.post(f"/api/v1{path}", body, content_type="application/json", headers={"Idempotency-Key": "x"})
        check_problem(answer, status=404, code="hold_not_found")
    assert held(program) == ("1000.000000", "100.000000")


def test_holds_of_the_system_do_not_exist(program: Program, buyer: BillingCustomer) -> None:
    hold = place_hold(customer_id=buyer.pk, amount=5, key="work").public_id

    for path, body in endings(hold):
        check_problem(program.post(path, body, key=path), status=404, code="hold_not_found")


def test_hold_of_a_named_customer_is_ended_in_their_name(platform: Program, buyer: BillingCustomer) -> None:
    hold = platform.post("/holds", {"amount": 5}, Billing_Customer=buyer.public_id).json()["id"]

    for path, body in endings(hold):
        check_problem(platform.post(path, body, key=path), status=404, code="hold_not_found")
    check_problem(platform.get(f"/holds/{hold}"), status=404, code="hold_not_found")
    check_problem(platform.post(f"/holds/{hold}/release", key=None), status=404, code="hold_not_found")
    assert CreditHold.objects.get().state == "open"
    settled = platform.post(f"/holds/{hold}/settle", {"amount": 5}, key="s", Billing_Customer=buyer.public_id)

    assert settled.status_code == 200, settled.content
    assert LedgerEntry.objects.filter(customer=buyer, kind="usage").count() == 1


@pytest.mark.parametrize("name", ["hold_nothing", "x", "%00", "%F0%28"])
def test_holds_that_are_none_are_404(program: Program, name: str) -> None:
    assert program.get(f"/holds/{name}").status_code == 404
    for path, body in endings(name):
        assert program.post(path, body, key=path).status_code == 404


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"amount": 0}, "invalid_amount", "amount"),
        ({"amount": "-5"}, "invalid_amount", "amount"),
        ({"amount": {}}, "invalid_amount", "amount"),
        ({"description": 1}, "invalid_request", "description"),
        ({"expires_in_seconds": 0}, "invalid_request", "expires_in_seconds"),
        ({"expires_in_seconds": 86401}, "invalid_request", "expires_in_seconds"),
        ({"expires_in_seconds": "60"}, "invalid_request", "expires_in_seconds"),
        ({"expires_in_seconds": 60.0}, "invalid_request", "expires_in_seconds"),
        ({"expires_in_seconds": True}, "invalid_request", "expires_in_seconds"),
        ({"seconds": 60}, "invalid_request", "seconds"),
    ],
)
def test_fields_of_a_hold_that_cannot_be_used_are_named(
    program: Program, change: dict[str, Any], code: str, field: str
) -> None:
    answer = program.post("/holds", {"amount": "5", **change})

    assert check_problem(answer, status=400, code=code)["field"] == field
    assert not CreditHold.objects.exists()


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"amount": "-0.000001"}, "invalid_amount", "amount"),
        ({"amount": "x"}, "invalid_amount", "amount"),
        ({}, "invalid_request", "amount"),
        ({"amount": 1, "cost": 1}, "invalid_request", "cost"),
    ],
)
def test_fields_of_a_settlement_that_cannot_be_used_are_named(
    program: Program, body: dict[str, Any], code: str, field: str
) -> None:
    hold = place(program).json()["id"]

    answer = program.post(f"/holds/{hold}/settle", body, key="settle")

    assert check_problem(answer, status=400, code=code)["field"] == field
    assert held(program) == ("1000.000000", "100.000000")


def test_holding_and_settling_need_a_name(program: Program) -> None:
    hold = place(program).json()["id"]

    refusals = [
        program.post("/holds", {"amount": 1}, key=None),
        program.post(f"/holds/{hold}/settle", {"amount": 1}, key=None),
    ]

    for refusal in refusals:
        check_problem(refusal, status=400, code="idempotency_key_required")


def test_more_than_there_is_is_not_held(program: Program) -> None:
    refusal = check_problem(place(program, "1000.000001"), status=402, code="insufficient_credits")

    assert (refusal["available"], refusal["required"]) == ("1000.000000", "1000.000001")
