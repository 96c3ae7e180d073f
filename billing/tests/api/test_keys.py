"""API keys that are wrong, ended, too narrow or used up; and their secrets, which nothing of ours repeats."""

from __future__ import annotations

import logging
from copy import copy
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from structlog.stdlib import ProcessorFormatter

from accounts.api_keys import revoke_key, rotate_key
from accounts.models import ApiKey
from billing.models import ApiKeySpending, BillingCustomer, CreditHold, LedgerEntry
from billing.tests.api.conftest import Program, give_credits, make_program
from billing.tests.api.test_ground import check_problem
from billing.tests.api.test_idempotency import fresh
from billing.tests.shop import make_customer
from billing.tests.threads import at_once

DEBIT: dict[str, Any] = {"amount": "10", "description": "Work"}


def everything(program: Program) -> list[Any]:
    """The answers of every address that a key may ask."""
    return [
        *[program.get(path) for path in ("/balance", "/ledger-entries", "/ledger-entries/led_x_1", "/credit-packs")],
        program.get("/holds/hold_x"),
        program.post("/debits", DEBIT),
        program.post("/holds", {"amount": 1}),
        program.post("/holds/hold_x/settle", {"amount": 1}),
        program.post("/holds/hold_x/release"),
        program.post("/checkout-sessions", {"pack": "small"}),
        program.post("/customers", {"external_id": "x"}),
        program.get("/customers/x"),
        program.post("/admin/credits", {}),
        program.get("/admin/ledger-entries"),
    ]


@pytest.mark.django_db
def test_revoked_expired_and_wrong_keys_open_nothing(program: Program, buyer: BillingCustomer) -> None:
    expired = make_program(buyer.user, expires_at=timezone.now() + timedelta(seconds=1))
    ApiKey.objects.filter(pk=expired.key.pk).update(expires_at=timezone.now())
    revoked = make_program(buyer.user)
    revoke_key(key=revoked.key, now=timezone.now())
    last = "x" if program.text[-1] != "x" else "y"
    wrong = Program(program.text[:-1] + last, program.key, program.client)
    live = Program(program.text.replace("ppk_test", "ppk_live"), program.key, program.client)

    refused = {"api_key_expired": [expired], "api_key_revoked": [revoked], "invalid_api_key": [wrong, live]}

    for code, programs in refused.items():
        for each in programs:
            for answer in everything(each):
                check_problem(answer, status=401, code=code)
                assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert LedgerEntry.objects.filter(kind="usage").count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "x", "ppk_test_", "ppk_test_a_b", "ppk_test_\0", "é" * 40, "x" * 10_000])
def test_what_is_no_key_is_401(client: Client, text: str) -> None:
    answer = client.get("/api/v1/balance", headers={"Authorization": f"Bearer {text}"})

    check_problem(answer, status=401, code="invalid_api_key")


@pytest.mark.django_db
@pytest.mark.parametrize("scheme", ["Basic", "Token", ""])
def test_other_schemes_name_nobody(program: Program, client: Client, scheme: str) -> None:
    answer = client.get("/api/v1/balance", headers={"Authorization": f"{scheme} {program.text}".strip()})

    check_problem(answer, status=401, code="not_authenticated")


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["api_key", "key", "access_token", "token", "Authorization"])
def test_key_in_the_address_is_ignored(program: Program, client: Client, name: str) -> None:
    asked = client.get(f"/api/v1/balance?{name}={program.text}")
    posted = client.post(f"/api/v1/debits?{name}={program.text}", {**DEBIT, name: program.text})

    check_problem(asked, status=401, code="not_authenticated")
    assert posted.status_code in (401, 415)
    assert program.text not in asked.content.decode() + posted.content.decode()


@pytest.mark.django_db
def test_each_scope_opens_its_own_addresses_only(buyer: BillingCustomer) -> None:
    reading, spending = make_program(buyer.user, "read"), make_program(buyer.user, "spend")
    reads = ("/balance", "/ledger-entries", "/credit-packs", "/holds/hold_x")
    posts = ("/debits", "/holds", "/holds/hold_x/settle", "/holds/hold_x/release", "/checkout-sessions")

    for path in reads:
        assert check_problem(spending.get(path), status=403, code="scope_missing")["scope"] == "read"
    for path in posts:
        assert check_problem(reading.post(path, DEBIT), status=403, code="scope_missing")["scope"] == "spend"
    assert reading.get("/balance").status_code == 200
    assert spending.post("/debits", DEBIT).status_code == 201


@pytest.mark.django_db
def test_limit_of_a_month_says_what_is_left(buyer: BillingCustomer) -> None:
    program = make_program(buyer.user, monthly_limit=25)
    assert program.post("/debits", DEBIT).status_code == 201
    assert program.post("/holds", {"amount": 10}, key="two").status_code == 201

    refused = check_problem(program.post("/debits", DEBIT, key="three"), status=402, code="key_limit_reached")

    assert (refused["limit"], refused["available"], refused["required"]) == ("25.000000", "5.000000", "10.000000")
    assert refused["top_up_url"].endswith("/billing/buy/")
    assert program.post("/debits", {**DEBIT, "amount": 5}, key="three").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_limit_holds_against_sixteen_at_once(buyer: BillingCustomer) -> None:
    program = make_program(buyer.user, monthly_limit=50)

    def spend(number: int) -> Any:
        path, body = [("/debits", DEBIT), ("/holds", {"amount": 10})][number % 2]
        return fresh(program).post(path, body, key=str(number))

    answers = at_once(*[partial(spend, number) for number in range(16)])

    check_five_of(answers)
    assert ApiKeySpending.objects.get().spent + 10 * CreditHold.objects.count() == 50


@pytest.mark.django_db
def test_limit_is_not_begun_again_by_rotating(buyer: BillingCustomer) -> None:
    first = make_program(buyer.user, monthly_limit=25)
    assert first.post("/debits", DEBIT).status_code == 201
    second = rotated(first)
    assert second.post("/holds", {"amount": 10}, key="two").status_code == 201
    third = rotated(second)

    for number, program in enumerate((first, second, third)):
        answer = program.post("/debits", DEBIT, key=f"more-{number}")
        refused = check_problem(answer, status=402, code="key_limit_reached")
        assert (refused["available"], refused["required"]) == ("5.000000", "10.000000")
    assert third.post("/debits", {**DEBIT, "amount": 5}, key="rest").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_limit_holds_over_a_key_and_its_successor_at_once(platform: Program) -> None:
    """They spend for two customers, so no balance makes them wait for each other."""
    ApiKey.objects.filter(pk=platform.key.pk).update(monthly_limit=50)
    programs = [platform, rotated(platform)]
    customers = [make_customer() for _ in programs]
    for customer in customers:
        give_credits(customer, 1000)

    def spend(number: int) -> Any:
        program, customer = programs[number % 2], customers[number % 2]
        return fresh(program).post("/debits", DEBIT, key=f"debit-{number}", Billing_Customer=customer.public_id)

    check_five_of(at_once(*[partial(spend, number) for number in range(12)]))
    assert LedgerEntry.objects.filter(kind="usage").count() == 5


def rotated(program: Program) -> Program:
    key = program.key
    assert key.user is not None
    new = rotate_key(key=key, now=timezone.now(), actor=key.user)
    return Program(new.text, new.key, Client(enforce_csrf_checks=True))


@pytest.mark.django_db(transaction=True)
def test_limit_holds_over_two_customers_at_once(platform: Program) -> None:
    ApiKey.objects.filter(pk=platform.key.pk).update(monthly_limit=50)
    customers = [make_customer().public_id for _ in range(2)]
    for customer in BillingCustomer.objects.filter(public_id__in=customers):
        give_credits(customer, 1000)

    def spend(number: int) -> Any:
        name = customers[number % 2]
        return fresh(platform).post("/debits", DEBIT, key=f"debit-{number}", Billing_Customer=name)

    answers = at_once(*[partial(spend, number) for number in range(12)])

    check_five_of(answers)
    assert LedgerEntry.objects.filter(kind="usage").count() == 5


def check_five_of(answers: list[Any]) -> None:
    assert [answer.status_code for answer in answers].count(201) == 5
    for answer in answers:
        if answer.status_code != 201:
            check_problem(answer, status=402, code="key_limit_reached")


@pytest.mark.django_db
def test_key_revoked_a_moment_ago_is_dead(program: Program) -> None:
    assert program.get("/balance").status_code == 200

    revoke_key(key=program.key, now=timezone.now())

    check_problem(program.get("/balance"), status=401, code="api_key_revoked")


@pytest.mark.django_db
def test_secret_is_in_no_log_and_no_table(
    platform: Program, program: Program, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    texts = [program.text, platform.text]
    with caplog.at_level(logging.DEBUG):
        for each in (program, platform):
            everything(each)
            everything(Program(each.text[:-1], each.key, each.client))
        for text in texts:
            client.get(f"/api/v1/balance?api_key={text}")
            client.post("/api/v1/debits", {"description": text}, headers={"Authorization": f"Basic {text}"})

    lines, tables = lines_of(caplog), dump_of_all_tables()
    assert len(lines) > 20
    assert program.key.secret_hash in tables
    for secret in (text.rsplit("_", 1)[1][:-1] for text in texts):
        assert not [line for line in lines if secret in line]
        assert secret not in tables


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The records as our log writes them."""
    options = settings.LOGGING["formatters"]["structured"]
    formatter = ProcessorFormatter(**{name: option for name, option in options.items() if name != "()"})
    return [formatter.format(copy(record)) for record in caplog.records]


def dump_of_all_tables() -> str:
    """Every row of every table as text."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows: list[Any] = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608 - names from the catalogue
            rows += cursor.fetchall()
    return "\n".join(row[0] for row in rows)
