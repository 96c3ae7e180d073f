"""Usage as a file: it adds up to what the page says, and no spreadsheet computes what is in it."""

import csv
from decimal import Decimal
from io import StringIO

import pytest
from django.test import Client

from accounts.models import User
from billing.models import LedgerEntry, PricingConfig
from usage.selectors import usage_calls
from usage.tests.factories import make_key, make_price, make_user
from usage.tests.views.spending import call, direct_debit, failed_call, settled_hold

pytestmark = pytest.mark.django_db


def rows_of(browser: Client, query: str = "") -> list[dict[str, str]]:
    response = browser.get(f"/billing/usage/export.csv{query}")
    assert response.status_code == 200
    assert "attachment" in response["Content-Disposition"]
    assert response.streaming
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # a StreamingHttpResponse
    return list(csv.DictReader(StringIO(text)))


def test_rows_add_up_to_the_ledger(browser: Client, user: User, price: PricingConfig) -> None:
    key = make_key(user).key
    call(user, key=key, cached=1)
    failed_call(user, failure="Gone.")
    direct_debit(user, "0.000001", key=key)
    settled_hold(user, "4", key=key)
    call(make_user(credits=500))

    rows = rows_of(browser)

    spent = [entry.amount for entry in LedgerEntry.objects.filter(customer__user=user, kind="usage")]
    assert sum(Decimal(row["credits"]) for row in rows) == -sum(spent)
    assert [row["type"] for row in rows] == ["call", "not charged", "direct debit", "direct debit"]
    assert [row["api_key"] for row in rows] == [key.key_id, "", key.key_id, key.key_id]
    assert (rows[0]["cached_tokens"], rows[0]["estimated_credits"]) == ("1", "50.000000")
    assert (rows[1]["failure"], rows[1]["ledger_entry"]) == ("Gone.", "")
    assert rows[2]["credits"] == "0.000001"


def test_filter_narrows_the_file(browser: Client, user: User, price: PricingConfig) -> None:
    make_price("other-model")
    key = make_key(user).key
    call(user, model="other-model")
    call(user, key=key)
    failed_call(user)
    direct_debit(user, "1", key=key)

    assert [row["model"] for row in rows_of(browser, "?model=other-model")] == ["other-model"]
    assert [row["type"] for row in rows_of(browser, f"?key={key.key_id}")] == ["call", "direct debit"]
    assert [row["type"] for row in rows_of(browser, "?outcome=not_charged")] == ["not charged"]
    assert [row["type"] for row in rows_of(browser, "?outcome=charged")] == ["call", "call", "direct debit"]


def test_formulas_stay_text(browser: Client, user: User) -> None:
    direct_debit(user, "1", key=make_key(user).key, description='=HYPERLINK("https://example.com")')

    (row,) = rows_of(browser)

    assert row["description"].startswith("'=")


def test_file_of_many_pieces_has_every_row_once(
    browser: Client, user: User, price: PricingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.selectors.export.ROWS_PER_CHUNK", 3)
    monkeypatch.setattr(usage_calls, "ROWS_PER_CHUNK", 3)
    charged = [call(user, output=1).public_id for _ in range(7)]
    failed = [failed_call(user).public_id for _ in range(7)]

    assert sorted(row["call"] for row in rows_of(browser)) == sorted([*charged, *failed])
