"""The pages of summaries: what it costs before, what it cost after, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from dulwich.repo import Repo
from pytest_django import Settings

from accounts.models import User
from billing.credits import deduct_credits
from billing.models import BillingCustomer, CreditHold, LedgerEntry
from billing.services.customers import freeze_customer
from billing.tests.views.test_frame import check_frame
from usage.models import CommitSummary, SummaryState
from usage.services.summary_runs import run_summary
from usage.tests.factories import make_user
from usage.tests.summaries.test_pasted_diffs import DIFF
from usage.tests.summaries.upstream import Upstream

LIST, PREVIEW = "/usage/summaries/", "/usage/summaries/preview/"
PASTED = {"form": "pasted", "diff": DIFF}


@pytest.fixture
def browser(client: Client, user: User, customer: BillingCustomer) -> Client:
    """A client in which somebody with 1,000 credits is logged in."""
    client.force_login(user)
    return client


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def start(browser: Client) -> CommitSummary:
    response = browser.post(LIST, PASTED)
    assert response.status_code == 303
    return CommitSummary.objects.get(public_id=response["Location"].split("/")[-2])


def test_pages_have_the_frame_and_an_empty_list_says_what_will_come(browser: Client, repo: object) -> None:
    empty, preview = browser.get(LIST), browser.post(PREVIEW, PASTED)
    one = browser.get(f"{LIST}{start(browser).public_id}/")

    for page in (empty, preview, one, browser.get(LIST)):
        check_frame(page.content.decode())
    assert "No summaries yet" in text_of(empty)


def test_commits_of_local_repositories_can_be_chosen(browser: Client, repo: Repo, commit: str) -> None:
    page = text_of(browser.get(LIST))
    preview = browser.post(PREVIEW, {"form": "picked", "picked": f"{repo.path}@{commit}"})

    assert f"{commit[:10]} Say three" in page
    assert 'label="code"' in page
    assert preview.status_code == 200
    assert "Say three" in text_of(preview)
    assert f'name="commit" value="{commit}"' in text_of(preview)


def test_the_preview_tells_the_cost_and_neither_holds_nor_queues(browser: Client) -> None:
    page = text_of(browser.post(PREVIEW, PASTED))

    assert "Estimated cost" in page
    assert "Summarise for about 3.1" in page
    assert not CommitSummary.objects.exists()
    assert not CreditHold.objects.exists()


def test_the_preview_asks_who_lacks_credits_to_buy_some(client: Client, price: object) -> None:
    client.force_login(make_user(credits=2))

    page = text_of(client.post(PREVIEW, PASTED))

    assert "you have 2." in page
    assert 'href="/billing/buy/"' in page
    assert "Summarise for about" not in page


def test_starting_without_credits_is_402_with_the_way_to_buy(browser: Client, user: User) -> None:
    deduct_credits(user, 999, description="elsewhere", idempotency_key="elsewhere")

    response = browser.post(LIST, PASTED)

    assert response.status_code == 402
    assert "Not enough credits" in text_of(response)
    assert 'href="/billing/buy/"' in text_of(response)
    assert not CommitSummary.objects.exists()


def test_a_frozen_customer_is_told_so(browser: Client, customer: BillingCustomer) -> None:
    freeze_customer(customer_id=customer.pk, reason="a test")

    preview, started = browser.post(PREVIEW, PASTED), browser.post(LIST, PASTED)

    assert "Spending is on hold" in text_of(preview)
    assert "Summarise for about" not in text_of(preview)
    assert started.status_code == 403


def test_the_state_is_told_only_when_it_changes_and_then_the_cost(browser: Client, upstream: Upstream) -> None:
    summary = start(browser)
    address = f"{LIST}{summary.public_id}/"
    page = text_of(browser.get(address))

    same = browser.get(f"{address}state/?shown=queued-0-")
    run_summary(public_id=summary.public_id)
    changed = browser.get(f"{address}state/?shown=queued-0-")

    assert 'hx-trigger="every 2s"' in page
    assert 'role="status"' in page
    assert same.status_code == 204
    assert changed.headers["HX-Trigger"] == "balance-changed"
    told = text_of(changed)
    entry = LedgerEntry.objects.get(kind="usage")
    assert upstream.text in told
    assert "<dd data-charged>2.9</dd>" in told
    assert "300 sent, 40 written" in told
    assert f"/billing/ledger/?before={entry.sequence + 1}#entry-{entry.sequence}" in told
    assert "hx-get" not in told


def test_a_failed_summary_says_not_charged_and_is_asked_for_again(browser: Client, upstream: Upstream) -> None:
    upstream.statuses = [400]
    summary = start(browser)
    run_summary(public_id=summary.public_id)

    page = text_of(browser.get(f"{LIST}{summary.public_id}/"))
    retried = browser.post(f"{LIST}{summary.public_id}/retry/")

    assert "No summary, and nothing charged" in page
    assert "The language model refused the change." in page
    assert "Try again" in page
    second = CommitSummary.objects.exclude(pk=summary.pk).get()
    assert retried["Location"] == f"{LIST}{second.public_id}/"
    run_summary(public_id=second.public_id)
    assert CommitSummary.objects.get(pk=second.pk).state == SummaryState.DONE


def test_asking_again_for_one_that_is_done_leads_to_it(browser: Client, upstream: Upstream) -> None:
    summary = start(browser)
    run_summary(public_id=summary.public_id)

    again, retried = browser.post(LIST, PASTED), browser.post(f"{LIST}{summary.public_id}/retry/")

    assert again["Location"] == retried["Location"] == f"{LIST}{summary.public_id}/"
    assert LedgerEntry.objects.filter(kind="usage").count() == 1


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"form": "pasted", "diff": "Write a poem."}, "diff"),
        ({"form": "pasted", "diff": ""}, "diff"),
        ({"form": "picked", "picked": "/etc@" + "0" * 40}, "picked"),
        ({"form": "named", "repository": "/etc", "commit": "0" * 40}, "repository"),
        ({"form": "named", "repository": "", "commit": "main"}, "repository"),
    ],
)
def test_what_cannot_be_summarised_comes_back_with_its_fault(
    browser: Client, repo: object, sent: dict[str, str], field: str, settings: Settings
) -> None:
    settings.SUMMARY_REPOSITORIES = [*settings.SUMMARY_REPOSITORIES, "https://git.example.com/acme/"]

    for address in (LIST, PREVIEW):
        response = browser.post(address, sent)

        assert response.status_code == 400
        assert "That cannot be summarised. Nothing was charged." in text_of(response)
        assert f'id="id_{field}_error"' in text_of(response)


def test_a_commit_that_is_not_there_is_refused_by_the_preview(browser: Client, repo: Repo) -> None:
    response = browser.post(PREVIEW, {"form": "named", "repository": repo.path, "commit": "0" * 40})

    assert response.status_code == 400
    assert "the repository has no such commit" in text_of(response)


def test_a_form_that_is_none_of_ours_does_not_exist(browser: Client) -> None:
    assert browser.post(LIST, {"form": "other"}).status_code == 404
    assert browser.get(PREVIEW).status_code == 302


def test_others_summaries_do_not_exist(browser: Client, client: Client, price: object) -> None:
    name = start(browser).public_id
    stranger = Client()
    stranger.force_login(make_user(credits=10))

    for address in (f"{LIST}{name}/", f"{LIST}{name}/state/"):
        assert stranger.get(address).status_code == 404
    assert stranger.post(f"{LIST}{name}/retry/").status_code == 404
    assert name not in text_of(stranger.get(LIST))


def test_without_repositories_only_diffs_are_offered(browser: Client, settings: Settings, tmp_path: Path) -> None:
    settings.SUMMARY_REPOSITORIES = [str(tmp_path / "gone")]

    page = text_of(browser.get(LIST))

    assert page.count("See what it costs") == 1
