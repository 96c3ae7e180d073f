"""`reconcile_ledger`: findings by name, and exit codes that a script can trust."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from billing.models import BillingCustomer, CreditBalance
from billing.tests.ledger.tampering import (
    Books,
    make_books,
    set_balance,
    set_entry,
    triggers_off,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def books(db: None) -> Books:
    return make_books()


def reconcile(*arguments: str) -> tuple[int, str]:
    """Exit code and output of `manage.py reconcile_ledger`."""
    out = StringIO()
    try:
        call_command("reconcile_ledger", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def test_the_command_ends_with_0_where_the_books_are_clean(books: Books) -> None:
    assert reconcile() == (0, "The ledger is clean.\n")
    assert json.loads(reconcile("--json")[1]) == {"clean": True, "findings": []}


def test_the_command_names_check_customer_and_entry_and_ends_with_1(books: Books) -> None:
    with triggers_off():
        set_entry(books.used, "balance_after = balance_after + 1")

    code, output = reconcile()

    assert code == 1
    line = f"balance_after_follows_the_amounts: customer {books.customer.public_id} entry {books.used.pk}: "
    assert line in output
    assert output.splitlines()[-1].endswith("findings.")


def test_the_command_gives_json(books: Books) -> None:
    set_balance(books, "held = held + 1")

    code, output = reconcile("--json")

    document = json.loads(output)
    assert code == 1
    assert document["clean"] is False
    assert [(row["check"], row["customer"], row["entry"]) for row in document["findings"]] == [
        ("held_is_the_sum_of_open_holds", books.customer.public_id, None)
    ]


def test_the_command_looks_at_one_customer(books: Books) -> None:
    user = User.objects.create_user(email="ada@example.com", password="x")
    BillingCustomer.objects.filter(pk=books.customer.pk).update(user=user, stripe_customer_id="cus_1")
    CreditBalance.objects.filter(pk=books.other.pk).update(held=1)

    for name in ("Ada@example.com", "cus_1", books.customer.public_id):
        assert reconcile("--customer", name)[0] == 0
    assert reconcile("--customer", books.other.public_id)[0] == 1


@pytest.mark.parametrize("name", ["nobody@example.com", "cus_none", "cust_none"])
def test_the_command_ends_with_2_for_a_customer_that_does_not_exist(name: str) -> None:
    code, output = reconcile("--customer", name)

    assert code == 2
    assert name in output
