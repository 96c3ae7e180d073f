"""GET /api/v1/admin/ledger-entries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.kinds import EntryKind
from billing.models import BillingCustomer, LedgerEntry
from billing.services.holds import place_hold, settle_hold
from billing.services.posting import Posting, post
from billing.tests.api.conftest import ENTRIES
from billing.tests.api.test_ground import check_problem
from billing.tests.shop import make_customer

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 1, tzinfo=UTC)


def add(customer: BillingCustomer, amount: int, *, days: int = 0, kind: EntryKind = EntryKind.PROMOTION) -> LedgerEntry:
    number = LedgerEntry.objects.count()
    return post(
        posting=Posting(
            customer_id=customer.pk,
            kind=kind,
            amount=Decimal(amount),
            key=f"api:{number}",
            occurred_at=START + timedelta(days=days),
        )
    )


def read(api: Client, **query: Any) -> dict[str, Any]:
    answer = api.get(f"{ENTRIES}?{urlencode(query)}")
    assert answer.status_code == 200, answer.content
    members: dict[str, Any] = answer.json()
    return members


def amounts(page: dict[str, Any]) -> list[int]:
    return [int(Decimal(entry["amount"])) for entry in page["data"]]


def test_empty_list(api: Client) -> None:
    assert read(api) == {"object": "list", "url": ENTRIES, "has_more": False, "data": []}


def test_newest_come_first_of_all_customers(api: Client, customer: BillingCustomer) -> None:
    other = make_customer()
    add(customer, 1)
    add(other, 2)
    add(customer, 3)

    page = read(api)

    assert amounts(page) == [3, 2, 1]
    assert [entry["customer"] for entry in page["data"]] == [
        customer.public_id,
        other.public_id,
        customer.public_id,
    ]


def test_settled_hold_is_named(api: Client, customer: BillingCustomer) -> None:
    add(customer, 10)
    hold = place_hold(customer_id=customer.pk, amount=Decimal(5), key="api:hold")
    settle_hold(hold=hold.public_id, amount=Decimal(3))

    assert read(api)["data"][0]["hold"] == hold.public_id


@pytest.mark.parametrize("of_one", [True, False])
def test_pages_join_without_gap_or_overlap(api: Client, customer: BillingCustomer, *, of_one: bool) -> None:
    for number in range(1, 26):
        add(customer, number)
    if not of_one:
        add(make_customer(), 26)
    chosen = {"customer": customer.public_id} if of_one else {}

    seen: list[int] = []
    after: dict[str, str] = {}
    while True:
        page = read(api, **chosen, **after)
        seen += amounts(page)
        if not page["has_more"]:
            break
        after = {"starting_after": page["data"][-1]["id"]}

    assert seen == list(range(25 if of_one else 26, 0, -1))


def test_a_full_last_page_has_no_more(api: Client, customer: BillingCustomer) -> None:
    for number in range(10):
        add(customer, number + 1)

    assert read(api)["has_more"] is False
    assert read(api, limit=9)["has_more"] is True
    assert len(read(api, limit=1)["data"]) == 1


def test_filters_narrow_and_go_together(api: Client, customer: BillingCustomer) -> None:
    add(make_customer(), 99, days=1)
    add(customer, 1, days=0)
    add(customer, 2, days=1)
    add(customer, -1, days=1, kind=EntryKind.USAGE)
    add(customer, 3, days=2)
    assert customer.user is not None

    assert amounts(read(api, customer=customer.user.email)) == [3, -1, 2, 1]
    assert amounts(read(api, kind="usage")) == [-1]
    assert amounts(read(api, since="2026-11-02T00:00:00Z", customer=customer.public_id)) == [3, -1, 2]
    assert amounts(read(api, until="2026-11-02T00:00:00+00:00", customer=customer.public_id)) == [1]
    assert amounts(read(api, since="2026-11-02", until="2026-11-03", kind="promotion")) == [2, 99]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("kind=gift", "kind"),
        ("since=yesterday", "since"),
        ("until=2026-13-01", "until"),
        ("customer=nobody@example.com", "customer"),
        ("customer=%00", "customer"),
        ("starting_after=42", "starting_after"),
        ("starting_after=led_x_1", "starting_after"),
        (f"starting_after=led_x_{'9' * 30}", "starting_after"),
        ("staring_after=led_x_1", "staring_after"),
        ("limit=1&limit=2", "limit"),
    ],
)
def test_parameter_at_fault_is_named(api: Client, query: str, field: str) -> None:
    problem = check_problem(api.get(f"{ENTRIES}?{query}"), status=400, code="invalid_request")

    assert problem["field"] == field


def test_page_of_one_customer_does_not_start_at_anothers_entry(api: Client, customer: BillingCustomer) -> None:
    add(make_customer(), 1)
    elsewhere = read(api)["data"][0]["id"]

    answer = api.get(f"{ENTRIES}?{urlencode({'customer': customer.public_id, 'starting_after': elsewhere})}")

    assert check_problem(answer, status=400, code="invalid_request")["field"] == "starting_after"


def test_more_rows_cost_no_more_queries(api: Client, customer: BillingCustomer) -> None:
    add(customer, 1)
    read(api)
    with CaptureQueriesContext(connection) as few:
        read(api)
    for _ in range(20):
        add(make_customer(), 1)
    with CaptureQueriesContext(connection) as many:
        read(api, limit=100)

    assert len(many) == len(few)
