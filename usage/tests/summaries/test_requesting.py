"""Asking for a summary: judged and held for at once, the same one only once."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import User
from billing.errors import CustomerFrozen, InsufficientCredits, InvalidRequest, KeyLimitReached, UnknownModel
from billing.models import BillingCustomer, CreditHold, LedgerEntry
from billing.services.customers import freeze_customer
from usage.diffs.refusals import DiffRefused
from usage.models import CommitSummary, SummaryState
from usage.selectors.summaries import find_open_hold
from usage.services.summaries import request_summary
from usage.services.summary_previews import preview_summary
from usage.services.summary_sources import read_source
from usage.tests.factories import balance_of, customer_of, make_key, make_price, make_user
from usage.tests.summaries.conftest import MODEL
from usage.tests.summaries.test_pasted_diffs import DIFF


def test_a_diff_is_queued_with_its_estimate_held(
    customer: BillingCustomer,
    woken: list[tuple[str, ...]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        asked = request_summary(customer_id=customer.pk, source=read_source(diff=DIFF))

    summary, hold = asked.summary, find_open_hold(asked.summary)
    assert asked.is_new
    assert (summary.state, summary.title, summary.files_changed) == ("queued", "Diff of x.py", 1)
    assert hold is not None
    assert hold.amount == summary.estimated_credits
    assert woken == [("usage.run_summary", summary.public_id)]


def test_the_estimate_is_what_will_be_sent_and_the_reserve_at_the_model_s_price(customer: BillingCustomer) -> None:
    source = read_source(diff=DIFF)

    preview = preview_summary(customer_id=customer.pk, source=source)
    summary = request_summary(customer_id=customer.pk, source=source).summary

    sent = preview.estimate.input_tokens
    assert preview.estimate.credits == preview.held == Decimal("0.01") * sent + Decimal("0.02") * 100
    assert summary.estimated_credits == preview.estimate.credits
    assert summary.model == MODEL


def test_for_a_commit_that_is_not_read_yet_the_most_is_held(
    customer: BillingCustomer, repo: object, commit: str, settings: Settings
) -> None:
    source = read_source(repository=settings.SUMMARY_REPOSITORIES[0], commit=commit)

    preview = preview_summary(customer_id=customer.pk, source=source)
    summary = request_summary(customer_id=customer.pk, source=source).summary

    hold = find_open_hold(summary)
    assert hold is not None
    assert hold.amount == preview.held > Decimal("0.01") * 50_000
    assert preview.estimate.credits < 10
    assert (preview.diff.title, preview.diff.files) == ("Say three", 2)


def test_the_same_diff_again_gives_the_first_summary(customer: BillingCustomer) -> None:
    first = request_summary(customer_id=customer.pk, source=read_source(diff=DIFF))
    again = request_summary(customer_id=customer.pk, source=read_source(diff=DIFF.replace("\n", "\r\n") + "\r\n"))

    assert (again.summary, again.is_new) == (first.summary, False)
    assert CreditHold.objects.count() == 1


def test_another_customer_s_same_diff_is_another_summary(customer: BillingCustomer) -> None:
    other = customer_of(make_user(credits=100))

    first = request_summary(customer_id=customer.pk, source=read_source(diff=DIFF)).summary
    second = request_summary(customer_id=other.pk, source=read_source(diff=DIFF))

    assert second.is_new
    assert second.summary != first


def test_a_failed_summary_does_not_stand_in_the_way_of_another(customer: BillingCustomer) -> None:
    failed = request_summary(customer_id=customer.pk, source=read_source(diff=DIFF)).summary
    CommitSummary.objects.filter(pk=failed.pk).update(state=SummaryState.FAILED)

    assert request_summary(customer_id=customer.pk, source=read_source(diff=DIFF)).is_new


def test_without_enough_credits_nothing_is_queued(price: object, woken: list[tuple[str, ...]]) -> None:
    poor = customer_of(make_user(credits=2))

    with pytest.raises(InsufficientCredits) as refused:
        request_summary(customer_id=poor.pk, source=read_source(diff=DIFF))

    assert refused.value.available == 2
    assert refused.value.required > 2
    assert not CommitSummary.objects.exists()
    assert not CreditHold.objects.exists()
    assert woken == []


def test_a_frozen_customer_and_a_key_at_its_limit_are_refused(user: User, customer: BillingCustomer) -> None:
    key = make_key(user, monthly_limit=Decimal(1)).key

    with pytest.raises(KeyLimitReached):
        request_summary(customer_id=customer.pk, source=read_source(diff=DIFF), api_key=key)
    freeze_customer(customer_id=customer.pk, reason="a test")
    with pytest.raises(CustomerFrozen):
        request_summary(customer_id=customer.pk, source=read_source(diff=DIFF))

    assert not CommitSummary.objects.exists()


def test_a_model_without_a_price_summarises_nothing(customer: BillingCustomer, settings: Settings) -> None:
    settings.SUMMARY_MODEL = "no-such-model"

    with pytest.raises(UnknownModel):
        request_summary(customer_id=customer.pk, source=read_source(diff=DIFF))


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({}, "diff"),
        ({"commit": "0" * 40}, "repository"),
        ({"repository": "/srv/code"}, "commit"),
        ({"repository": "/srv/code", "commit": "0" * 40}, "repository"),
        ({"diff": DIFF, "commit": "0" * 40}, "diff"),
        ({"diff": "no diff"}, "diff"),
    ],
)
def test_what_cannot_be_summarised_is_refused_by_its_field(named: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_source(**named)

    assert refused.value.field == field


def test_a_repository_that_is_not_allowed_is_refused_before_it_is_looked_at(repo: object, settings: Settings) -> None:
    allowed = settings.SUMMARY_REPOSITORIES[0]
    settings.SUMMARY_REPOSITORIES = []

    with pytest.raises(DiffRefused, match="not one of those"):
        read_source(repository=allowed, commit="0" * 40)


@pytest.mark.django_db(transaction=True)
def test_the_same_diff_queued_by_many_at_once_is_one_summary_and_one_hold(settings: Settings) -> None:
    settings.SUMMARY_MODEL = MODEL
    make_price(MODEL, input_usd_per_1k="0.01", output_usd_per_1k="0.02")
    user = make_user(credits=1000)
    customer_id = customer_of(user).pk
    source, start = read_source(diff=DIFF), Barrier(8)

    def ask(_: int) -> tuple[int, bool]:
        start.wait()
        try:
            asked = request_summary(customer_id=customer_id, source=source)
            return asked.summary.pk, asked.is_new
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))

    assert len({pk for pk, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1
    assert CreditHold.objects.count() == 1
    assert balance_of(user).held == CreditHold.objects.get().amount
    assert LedgerEntry.objects.filter(kind="usage").count() == 0


@pytest.mark.django_db(transaction=True)
def test_different_diffs_at_once_never_hold_more_than_there_is(settings: Settings) -> None:
    settings.SUMMARY_MODEL = MODEL
    make_price(MODEL, input_usd_per_1k="0.01", output_usd_per_1k="0.02")
    user = make_user(credits=10)
    customer_id, start = customer_of(user).pk, Barrier(6)

    def ask(number: int) -> bool:
        start.wait()
        try:
            source = read_source(diff=DIFF.replace("three", f"number {number}"))
            return request_summary(customer_id=customer_id, source=source).is_new
        except InsufficientCredits:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        accepted = sum(pool.map(ask, range(6)))

    assert 0 < accepted < 6
    assert CommitSummary.objects.count() == CreditHold.objects.count() == accepted
    assert 0 <= balance_of(user).held <= 10
