"""GET ledger-entries: one's own entries, newest first, in pages, filtered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.models import BillingCustomer, LedgerEntry
from billing.services.debits import debit_credits
from billing.services.holds import place_hold, settle_hold
from billing.tests.api.conftest import Program, give_credits, make_program
from billing.tests.api.test_ground import check_problem
from billing.tests.shop import make_customer

pytestmark = pytest.mark.django_db


def sequences(program: Program, query: str = "") -> list[int]:
    answer = program.get(f"/ledger-entries{query}")
    assert answer.status_code == 200, answer.content
    return [entry["sequence"] for entry in answer.json()["data"]]


@pytest.fixture
def long_ledger(buyer: BillingCustomer) -> str:
    """Six entries of the buyer's; gives what their names begin with."""
    for _ in range(5):
        give_credits(buyer, 1)
    return f"led_{buyer.public_id.removeprefix('cust_')}_"


def test_pages_go_on_where_the_last_ended(program: Program, long_ledger: str) -> None:
    first = program.get("/ledger-entries?limit=4").json()
    second = program.get(f"/ledger-entries?limit=4&starting_after={first['data'][-1]['id']}").json()

    assert {**first, "data": len(first["data"])} == {
        "object": "list",
        "url": "/api/v1/ledger-entries",
        "has_more": True,
        "data": 4,
    }
    assert [entry["id"] for entry in second["data"]] == [f"{long_ledger}2", f"{long_ledger}1"]
    assert not second["has_more"]


def test_pages_go_back_too(program: Program, long_ledger: str) -> None:
    page = program.get(f"/ledger-entries?limit=2&ending_before={long_ledger}2").json()
    last = program.get(f"/ledger-entries?limit=3&ending_before={long_ledger}3").json()

    assert [entry["sequence"] for entry in page["data"]] == [4, 3]
    assert page["has_more"]
    assert ([entry["sequence"] for entry in last["data"]], last["has_more"]) == ([6, 5, 4], False)


def test_entries_are_filtered_by_kind_and_time(program: Program, buyer: BillingCustomer, long_ledger: str) -> None:
    debit_credits(customer_id=buyer.pk, amount=1, key="a", placed_by="system")
    third = LedgerEntry.objects.get(customer=buyer, sequence=3).occurred_at.isoformat().replace("+00:00", "Z")

    assert sequences(program, "?kind=usage") == [7]
    assert sequences(program, f"?since={third}&kind=promotion") == [6, 5, 4, 3]
    assert sequences(program, f"?until={third}") == [2, 1]
    assert sequences(program, f"?since={(timezone.now() + timedelta(days=1)).date()}T00:00:00Z") == []


def test_entries_of_one_key_are_its_debits_and_settlements(program: Program, buyer: BillingCustomer) -> None:
    other = make_program(buyer.user)
    program.post("/debits", {"amount": 1, "description": "By the first"})
    other.post("/debits", {"amount": 1, "description": "By the other"}, key="two")
    hold = place_hold(customer_id=buyer.pk, amount=5, key="work", placed_by=f"key:{program.key.key_id}")
    settle_hold(hold=hold.public_id, amount=4)

    assert sequences(program, f"?key={program.key.key_id}") == [4, 2]
    assert sequences(program, f"?key={other.key.key_id}") == [3]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("kind=theft", "kind"),
        ("since=yesterday", "since"),
        ("until=2026-13-01", "until"),
        ("key=%00", "key"),
        ("key=" + "x" * 21, "key"),
        ("starting_after=led_x_1", "starting_after"),
        ("ending_before=%00", "ending_before"),
        ("starting_after=a&ending_before=b", "ending_before"),
        ("customer=x", "customer"),
        ("kind=usage&kind=usage", "kind"),
        ("since=", "since"),
        ("key=%20", "key"),
    ],
)
def test_parameters_that_cannot_be_used_are_named(program: Program, query: str, field: str) -> None:
    answer = program.get(f"/ledger-entries?{query}")

    assert check_problem(answer, status=400, code="invalid_request")["field"] == field


def test_one_entry_is_read_by_its_id(program: Program, long_ledger: str) -> None:
    answer = program.get(f"/ledger-entries/{long_ledger}3")

    assert answer.status_code == 200
    assert answer.json() == program.get("/ledger-entries").json()["data"][3]


def test_entries_of_others_do_not_exist(program: Program) -> None:
    stranger = make_customer()
    give_credits(stranger, 5)
    theirs = f"led_{stranger.public_id.removeprefix('cust_')}_1"

    for name in (theirs, "led_nobody_1", "x", "%00"):
        check_problem(program.get(f"/ledger-entries/{name}"), status=404, code="not_found")
    refused = program.get(f"/ledger-entries?starting_after={theirs}")
    assert check_problem(refused, status=400, code="invalid_request")["field"] == "starting_after"


@pytest.mark.usefixtures("long_ledger")
def test_list_takes_two_queries(program: Program, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    program.get("/ledger-entries")

    with django_assert_num_queries(2):  # the key with its customer, the entries
        program.get("/ledger-entries")
