"""GET balance: what the customer has, what lapses next, what happened last, and 304 while it stays so."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.kinds import EntryKind
from billing.models import BillingCustomer
from billing.services.customers import freeze_customer
from billing.services.holds import place_hold
from billing.services.posting import Posting, post
from billing.tests.api.conftest import Program, give_credits, make_program
from billing.tests.api.test_ground import check_problem
from billing.tests.shop import make_customer

pytestmark = pytest.mark.django_db


def test_balance_has_all_that_it_promises(program: Program, buyer: BillingCustomer) -> None:
    lapses_at = timezone.now() + timedelta(days=3)
    post(
        posting=Posting(
            customer_id=buyer.pk, kind=EntryKind.VOUCHER, amount=Decimal(20), key="grant:voucher", expires_at=lapses_at
        )
    )
    place_hold(customer_id=buyer.pk, amount="12.5", key="work")

    answer = program.get("/balance")

    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    newest, oldest = body.pop("recent_entries")
    assert body == {
        "object": "balance",
        "posted": "1020.000000",
        "held": "12.500000",
        "available": "1007.500000",
        "debt": "0.000000",
        "frozen": False,
        "low": False,
        "next_expiry": {"amount": "20.000000", "at": lapses_at.isoformat().replace("+00:00", "Z")},
    }
    assert (newest["kind"], newest["amount"], newest["balance_after"]) == ("voucher", "20.000000", "1020.000000")
    assert (oldest["sequence"], oldest["customer"]) == (1, buyer.public_id)


def test_recent_entries_are_the_last_five(program: Program, buyer: BillingCustomer) -> None:
    for _ in range(6):
        give_credits(buyer, 1)

    body = program.get("/balance").json()

    assert [entry["sequence"] for entry in body["recent_entries"]] == [7, 6, 5, 4, 3]


def test_balance_says_low_and_frozen(program: Program, buyer: BillingCustomer) -> None:
    place_hold(customer_id=buyer.pk, amount=950, key="work")
    freeze_customer(customer_id=buyer.pk, reason="A look at it")

    body = program.get("/balance").json()

    assert (body["low"], body["frozen"], body["next_expiry"]) == (True, True, None)


def test_balance_that_stayed_the_same_is_304(program: Program, buyer: BillingCustomer) -> None:
    etag = program.get("/balance")["ETag"]

    same = program.get("/balance", **{"If-None-Match": f'"other", {etag}'})
    give_credits(buyer, 1)
    changed = program.get("/balance", **{"If-None-Match": etag})

    assert (same.status_code, same.content, same["ETag"]) == (304, b"", etag)
    assert changed.status_code == 200
    assert changed["ETag"] != etag
    assert changed["Cache-Control"] == "private, no-cache"


def test_user_who_never_bought_has_a_balance_too(client: Client, agent: Any) -> None:
    client.force_login(agent)

    assert client.get("/api/v1/balance").json()["posted"] == "0.000000"


def test_balance_is_ones_own(program: Program) -> None:
    stranger = make_customer()
    give_credits(stranger, 77)

    body = make_program(stranger.user, "read").get("/balance").json()

    assert body["posted"] == "77.000000"
    assert program.get("/balance").json()["posted"] == "1000.000000"


def test_parameters_that_nobody_reads_are_refused(program: Program) -> None:
    assert check_problem(program.get("/balance?customer=x"), status=400, code="invalid_request")["field"] == "customer"


def test_balance_takes_three_queries(program: Program, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    program.get("/balance")

    with django_assert_num_queries(3):  # the key with its customer, the balance, the entries
        program.get("/balance")


def test_empty_name_of_a_customer_is_nobody(platform: Program) -> None:
    check_problem(platform.get("/balance", **{"Billing-Customer": ""}), status=404, code="customer_not_found")
