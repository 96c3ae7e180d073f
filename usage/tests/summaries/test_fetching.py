"""Commits fetched over https, from a real server on this machine that tests alone may speak to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dulwich.objects import ObjectID
from dulwich.repo import Repo
from urllib3 import PoolManager

from usage.diffs import fetching
from usage.diffs.commits import read_commit
from usage.diffs.deadline import Deadline
from usage.diffs.network import make_pool
from usage.diffs.refusals import DiffRefused
from usage.diffs.repositories import Repository
from usage.tests.summaries.git_server import GitServer, running_git_server
from usage.tests.summaries.repositories import commit_files, make_repository


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_repository(tmp_path / "code")


@pytest.fixture
def server(repo: Repo, tmp_path: Path) -> Iterator[GitServer]:
    with running_git_server(repo, folder=tmp_path) as running:
        yield running


@pytest.fixture
def _trusted(server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule for addresses as it is in a test: loopback may be spoken to."""

    def pool(*, host: str) -> PoolManager:
        return make_pool(host=host, port=server.port, may_connect=lambda _: True, context=server.context)

    monkeypatch.setattr(fetching, "make_pool", pool)


@pytest.mark.usefixtures("_trusted")
def test_a_commit_is_fetched_with_its_parent_alone(repo: Repo, server: GitServer) -> None:
    first = commit_files(repo, "Begin", {"a.py": b"one\n"})
    commit_files(repo, "Second", {"a.py": b"one\ntwo\n"})
    third = commit_files(repo, "Third", {"a.py": b"one\nthree\n", "b.py": b"new\n"})
    repository = Repository(name=server.address)

    diff = read_commit(repository=repository, commit=third)

    assert (diff.title, diff.files, diff.added, diff.removed) == ("Third", 2, 2, 1)
    assert any(path.endswith("git-upload-pack") for path in server.requests)
    with fetching.fetched(
        repository=repository, commit=ObjectID(third.encode()), deadline=Deadline(seconds=20)
    ) as copy:
        assert ObjectID(first.encode()) not in copy.object_store


@pytest.mark.usefixtures("_trusted")
def test_a_commit_that_the_server_has_not_is_refused(repo: Repo, server: GitServer) -> None:
    commit_files(repo, "Begin", {"a.py": b"one\n"})

    with pytest.raises(DiffRefused) as refused:
        read_commit(repository=Repository(name=server.address), commit="1" * 40)

    assert refused.value.reason in ("commit_unknown", "repository_unavailable")
    assert str(server.port) not in str(refused.value)


@pytest.mark.usefixtures("_trusted")
def test_a_server_that_sends_too_much_is_cut_off(
    repo: Repo, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = commit_files(repo, "Begin", {"a.py": bytes(range(256)) * 40})
    monkeypatch.setattr(fetching, "MAX_PACK_BYTES", 100)

    with pytest.raises(DiffRefused) as refused:
        read_commit(repository=Repository(name=server.address), commit=made)

    assert refused.value.reason == "diff_too_large"


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("target", ["https://localhost:1/code/info/refs", "http://localhost/", "https://example.com/"])
def test_redirects_are_not_followed(repo: Repo, server: GitServer, target: str) -> None:
    made = commit_files(repo, "Begin", {"a.py": b"one\n"})
    server.redirects_to = target

    with pytest.raises(DiffRefused) as refused:
        read_commit(repository=Repository(name=server.address), commit=made)

    assert refused.value.is_passing
    assert len(server.requests) == 1


@pytest.mark.parametrize("is_trusted", [True, False], ids=["private-address", "unknown-certificate"])
def test_neither_private_addresses_nor_unknown_certificates_are_spoken_to(
    repo: Repo, server: GitServer, monkeypatch: pytest.MonkeyPatch, is_trusted: bool
) -> None:
    made = commit_files(repo, "Begin", {"a.py": b"one\n"})

    def pool(*, host: str) -> PoolManager:
        if is_trusted:
            return make_pool(host=host, port=server.port, context=server.context)
        return make_pool(host=host, port=server.port, may_connect=lambda _: True)

    monkeypatch.setattr(fetching, "make_pool", pool)
    with pytest.raises(DiffRefused) as refused:
        read_commit(repository=Repository(name=server.address), commit=made)

    assert refused.value.reason == "repository_unavailable"
    assert server.requests == []
