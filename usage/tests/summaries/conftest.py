"""Fixtures for summaries: a repository that may be read, a price for the model, nobody woken."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dulwich.repo import Repo
from pytest_django import Settings

from accounts.models import User
from billing.models import BillingCustomer, PricingConfig
from usage.tests.factories import customer_of, make_price
from usage.tests.summaries.repositories import commit_files, make_repository
from usage.tests.summaries.upstream import Upstream, running_upstream

MODEL = "gpt-5-mini"  # what processes that a test starts are set to


@pytest.fixture
def repo(tmp_path: Path, settings: Settings) -> Repo:
    """The one repository that is allowed, with a first commit."""
    repo = make_repository(tmp_path / "code")
    commit_files(repo, "Begin", {"a.py": b"one\ntwo\n"})
    settings.SUMMARY_REPOSITORIES = [repo.path]
    return repo


@pytest.fixture
def commit(repo: Repo) -> str:
    """A commit worth a summary."""
    return commit_files(repo, "Say three", {"a.py": b"one\nthree\n", "b.py": b"new\n"})


@pytest.fixture
def price(db: None, settings: Settings) -> PricingConfig:
    """The model of summaries: 0.01 credits for an input token, 0.02 for an output token, a reserve of 100 of those."""
    settings.SUMMARY_MODEL = MODEL
    return make_price(MODEL, input_usd_per_1k="0.01", cached_input_usd_per_1k="0.001", output_usd_per_1k="0.02")


@pytest.fixture
def customer(user: User, price: PricingConfig) -> BillingCustomer:
    """Somebody with 1,000 credits where summaries have a price."""
    return customer_of(user)


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Nobody is woken; gives what would have been sent."""
    messages: list[tuple[str, ...]] = []

    def remember(*, name: str, arguments: tuple[str, ...] = ()) -> bool:
        messages.append((name, *arguments))
        return True

    monkeypatch.setattr("billing.wake.wake_task", remember)
    return messages


@pytest.fixture
def upstream(settings: Settings) -> Iterator[Upstream]:
    """A language model that does what the test says."""
    with running_upstream() as running:
        settings.LLM_BASE_URL = running.base_url
        yield running
