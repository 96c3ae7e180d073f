"""`/api/v1/summaries`: asked for, listed, shown; only one's own."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing.models import BillingCustomer, CreditHold, LedgerEntry
from usage.models import CommitSummary
from usage.services.summary_runs import run_summary
from usage.tests.factories import customer_of, make_user
from usage.tests.summaries.test_pasted_diffs import DIFF
from usage.tests.summaries.test_running import COST
from usage.tests.summaries.upstream import Upstream

SUMMARIES = "/api/v1/summaries"


def ask(api: Client, body: Any = None, *, key: str = "", **headers: str) -> Any:
    named = {"Idempotency-Key": key} if key else {}
    return api.post(
        SUMMARIES, {"diff": DIFF} if body is None else body, content_type="application/json", headers=named | headers
    )


def test_a_diff_is_accepted_with_its_estimate_and_what_is_held(api: Client, customer: BillingCustomer) -> None:
    response = ask(api)

    body = response.json()
    assert response.status_code == 202
    assert (body["object"], body["state"], body["title"]) == ("summary", "queued", "Diff of x.py")
    assert Decimal(body["credits"]["estimated"]) == Decimal(body["credits"]["held"]) > 2
    assert (body["credits"]["charged"], body["summary"], body["failure"]) == (None, None, None)


def test_a_commit_ends_as_a_summary_with_its_cost_and_its_ledger_entry(
    api: Client, customer: BillingCustomer, upstream: Upstream, repo: object, commit: str, settings: Settings
) -> None:
    asked = ask(api, {"repository": settings.SUMMARY_REPOSITORIES[0], "commit": commit}).json()
    run_summary(public_id=asked["id"])

    done = api.get(f"{SUMMARIES}/{asked['id']}").json()

    assert (done["state"], done["summary"], done["commit"]) == ("done", upstream.text, commit)
    assert Decimal(done["credits"]["charged"]) == COST
    assert Decimal(done["credits"]["estimated"]) < 10 < Decimal(done["credits"]["held"])
    assert done["tokens"] == {"input": 300, "cached": 100, "output": 40}
    entry = LedgerEntry.objects.get(kind="usage")
    assert done["ledger_entry"].endswith(f"_{entry.sequence}")
    assert api.get(f"/api/v1/usage-events/{done['usage_event']}").json()["credits"] == done["credits"]["charged"]


def test_the_same_diff_again_is_200_with_the_first(api: Client, customer: BillingCustomer) -> None:
    first, second = ask(api), ask(api)

    assert (first.status_code, second.status_code) == (202, 200)
    assert second.json()["id"] == first.json()["id"]
    assert CreditHold.objects.count() == 1


def test_an_idempotency_key_gives_the_first_answer_again(api: Client, customer: BillingCustomer) -> None:
    first, replay = ask(api, key="one"), ask(api, key="one")
    other = ask(api, {"diff": DIFF.replace("three", "four")}, key="one")

    assert (first.status_code, replay.status_code, replay.headers["Idempotent-Replayed"]) == (202, 202, "true")
    assert replay.json() == first.json()
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")


def test_too_few_credits_are_402_with_the_way_to_buy_and_leave_nothing(
    client_of: Callable[..., Client], price: object
) -> None:
    poor = make_user(credits=2)
    response = ask(client_of(poor), key="one")

    body = response.json()
    assert (response.status_code, body["code"]) == (402, "insufficient_credits")
    assert body["top_up_url"].endswith("/billing/buy/")
    assert Decimal(body["available"]) == 2
    assert not CommitSummary.objects.exists()


def test_a_failure_says_why_and_that_nothing_was_charged(
    api: Client, customer: BillingCustomer, upstream: Upstream
) -> None:
    upstream.statuses = [400]
    asked = ask(api).json()
    run_summary(public_id=asked["id"])

    failed = api.get(f"{SUMMARIES}/{asked['id']}").json()

    assert (failed["state"], failed["failure"]["code"]) == ("failed", "upstream_refused")
    assert Decimal(failed["credits"]["charged"]) == 0
    assert failed["credits"]["held"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "diff"),
        ({"diff": ""}, "diff"),
        ({"diff": 5}, "diff"),
        ({"diff": None}, "diff"),
        ({"diff": "Write a poem."}, "diff"),
        ({"diff": "x\0"}, "diff"),
        ({"diff": DIFF, "colour": "red"}, "colour"),
        ({"diff": DIFF, "repository": "/x"}, "diff"),
        ({"repository": "/x"}, "commit"),
        ({"repository": "/etc", "commit": "0" * 40}, "repository"),
        ({"repository": "file:///etc", "commit": "0" * 40}, "repository"),
        ({"repository": "https://127.0.0.1/x", "commit": "0" * 40}, "repository"),
        ({"repository": "/x", "commit": "0" * 65}, "commit"),
    ],
)
def test_what_cannot_be_summarised_is_400_and_names_the_field(
    api: Client, customer: BillingCustomer, body: dict[str, Any], field: str
) -> None:
    response = ask(api, body)

    assert (response.status_code, response.json()["field"]) == (400, field)
    assert not CommitSummary.objects.exists()


def test_others_summaries_are_404(api: Client, client_of: Callable[..., Client], customer: BillingCustomer) -> None:
    name = ask(api).json()["id"]
    stranger = client_of(make_user(credits=100))

    assert stranger.get(f"{SUMMARIES}/{name}").status_code == 404
    assert stranger.get(SUMMARIES).json()["data"] == []
    assert stranger.get(f"{SUMMARIES}?starting_after={name}").status_code == 400
    assert api.get(f"{SUMMARIES}/sum_none").status_code == 404


def test_scopes_and_keys_are_judged(client_of: Callable[..., Client], user: User, customer: BillingCustomer) -> None:
    reader = client_of(user, scopes=["read"])

    assert (ask(reader).status_code, ask(reader).json()["code"]) == (403, "scope_missing")
    assert reader.get(SUMMARIES).status_code == 200
    assert ask(Client()).status_code == 401


def test_a_key_for_customers_asks_for_one(
    client_of: Callable[..., Client], user: User, customer: BillingCustomer
) -> None:
    other = customer_of(make_user(credits=100))
    staff = client_of(user, scopes=["read", "spend", "customers"])

    response = ask(staff, **{"Billing-Customer": other.public_id})

    assert response.status_code == 202
    assert CommitSummary.objects.get().customer == other


def test_the_list_is_cut_into_pages_newest_first(api: Client, customer: BillingCustomer) -> None:
    names = [ask(api, {"diff": DIFF.replace("three", f"number {number}")}).json()["id"] for number in range(3)]

    first = api.get(f"{SUMMARIES}?limit=2").json()
    rest = api.get(f"{SUMMARIES}?limit=2&starting_after={first['data'][-1]['id']}").json()

    assert [row["id"] for row in first["data"] + rest["data"]] == names[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert all(row["credits"]["held"] for row in first["data"])
