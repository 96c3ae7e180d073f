"""The page of API keys says what each has spent this month, and tells the audit log what staff make there."""

import re
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.api_keys import issue_key, rotate_key
from accounts.models import ApiKey, User
from billing.models import ApiKeySpending, AuditEntry, BillingCustomer
from billing.services.debits import debit_credits
from billing.services.key_limits import placed_by_key
from billing.tests.views.rows import add_entry

pytestmark = pytest.mark.django_db
PAGE = "/accounts/api-keys/"


def make_key(user: User, *, limit: str | None = None) -> ApiKey:
    monthly_limit = Decimal(limit) if limit else None
    return issue_key(user=user, name="Server", scopes=["spend"], monthly_limit=monthly_limit).key


def words_of(browser: Client) -> str:
    """The page's text, with single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", browser.get(PAGE).content.decode()).split())


@pytest.mark.parametrize(
    ("spent", "words"),
    [
        ("79.999999", "79.999999 of 100 Rotate"),
        ("80", "80 of 100 80 % used"),
        ("100", "100 of 100 Limit reached"),
    ],
)
def test_spent_stands_beside_the_limit(
    browser: Client, customer: BillingCustomer, user: User, spent: str, words: str
) -> None:
    add_entry(customer, "500")
    key = make_key(user, limit="100")
    debit_credits(customer_id=customer.pk, amount=spent, key="debit", placed_by=placed_by_key(key))

    assert words in words_of(browser)


def test_month_that_is_over_does_not_count(browser: Client, user: User) -> None:
    ApiKeySpending.objects.create(api_key=make_key(user, limit="100"), month=date(2026, 1, 1), spent=90)

    assert "Never Never 0 of 100" in words_of(browser)


def test_keys_that_are_one_by_rotation_have_spent_together(
    browser: Client, customer: BillingCustomer, user: User
) -> None:
    add_entry(customer, "500")
    key = make_key(user, limit="100")
    debit_credits(customer_id=customer.pk, amount="60", key="before", placed_by=placed_by_key(key))
    successor = rotate_key(key=key, now=timezone.now(), actor=user).key
    debit_credits(customer_id=customer.pk, amount="25", key="after", placed_by=placed_by_key(successor))

    assert words_of(browser).count("85 of 100") == 2


def test_number_of_queries_does_not_grow_with_the_keys(browser: Client, user: User) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            browser.get(PAGE)
        return len(captured)

    month = timezone.now().date().replace(day=1)
    ApiKeySpending.objects.create(api_key=make_key(user), month=month, spent=1)
    few = count()
    for _ in range(9):
        ApiKeySpending.objects.create(api_key=make_key(user), month=month, spent=1)

    assert count() == few


def test_key_for_any_customer_is_written_down_as_an_act_of_staff(browser: Client, user: User) -> None:
    user.is_staff = True
    user.save()
    browser.post("/accounts/reauthenticate/", {"password": "correct horse battery"})

    def send(path: str, **fields: object) -> None:
        found = re.search(r'name="form_token" value="([^"]+)"', browser.get(path).content.decode())
        assert found is not None
        assert browser.post(path, {**fields, "form_token": found[1]}).status_code == 200

    send(f"{PAGE}new/", name="Mine", scopes=["spend"], lifetime="90")
    send(f"{PAGE}new/", name="Service", scopes=["customers"], lifetime="90")
    send(f"{PAGE}{ApiKey.objects.get(name='Service').key_id}/rotate/")

    written = AuditEntry.objects.filter(action__startswith="apikey.").order_by("pk")
    assert [(entry.action, entry.after["name"]) for entry in written] == [
        ("apikey.add", "Service"),
        ("apikey.rotate", "Service"),
    ]
