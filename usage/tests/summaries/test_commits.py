"""Diffs of real commits in real repositories, and the limits of what is read."""

from pathlib import Path

import pytest
from dulwich.objects import Blob
from dulwich.repo import Repo
from unidiff.patch import PatchSet

from usage.diffs import commits
from usage.diffs.commits import read_commit, recent_commits
from usage.diffs.refusals import DiffRefused
from usage.diffs.repositories import Repository
from usage.tests.summaries.repositories import commit_files, make_repository


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_repository(tmp_path / "code")


def of(repo: Repo) -> Repository:
    return Repository(name=repo.path, folder=Path(repo.path))


def test_a_commit_is_compared_with_its_parent(repo: Repo) -> None:
    commit_files(repo, "Begin", {"a.py": b"one\ntwo\n", "b.py": b"old\n"})
    second = commit_files(repo, "Say three\n\nBecause two was too few.", {"a.py": b"one\nthree\n", "b.py": None})

    diff = read_commit(repository=of(repo), commit=second)

    assert (diff.title, diff.files, diff.added, diff.removed) == ("Say three", 2, 1, 2)
    assert "-two\n+three\n" in diff.text
    patches = PatchSet(diff.text)
    assert (len(patches), patches.added, patches.removed) == (2, 1, 2)


def test_the_first_commit_is_compared_with_nothing(repo: Repo) -> None:
    first = commit_files(repo, "Begin", {"a.py": b"++ counts once\n-- so does this"})

    diff = read_commit(repository=of(repo), commit=first)

    assert (diff.files, diff.added, diff.removed) == (1, 2, 0)


def test_a_merge_is_compared_with_its_first_parent(repo: Repo) -> None:
    base = commit_files(repo, "Begin", {"a.py": b"a\n"})
    side = commit_files(repo, "Side", {"side.py": b"side\n"})
    repo.refs[b"refs/heads/side"] = side.encode()  # type: ignore[index, assignment]
    repo.refs[repo.refs.follow(b"HEAD")[0][-1]] = base.encode()  # type: ignore[arg-type, assignment]
    merge = commit_files(repo, "Merge side", {"side.py": b"side\n", "merged.py": b"m\n"}, merges=side)

    diff = read_commit(repository=of(repo), commit=merge)

    assert diff.files == 2
    assert "side.py" in diff.text
    assert "merged.py" in diff.text


def test_binary_and_large_files_are_named_and_not_shown(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "MAX_FILE_BYTES", 1000)
    made = commit_files(repo, "Add", {"logo.png": b"\x89PNG\0\0\x01", "large.txt": b"word\n" * 500, "a.py": b"a\n"})

    diff = read_commit(repository=of(repo), commit=made)

    assert (diff.files, diff.added) == (3, 1)
    assert "logo.png differ" in diff.text
    assert "large.txt differ" in diff.text
    assert "word" not in diff.text


def test_text_that_is_not_utf_8_is_read_with_marks_in_its_place(repo: Repo) -> None:
    made = commit_files(repo, "Grüße".encode("latin-1").decode("latin-1"), {"a.txt": "Straße\n".encode("latin-1")})

    diff = read_commit(repository=of(repo), commit=made)

    assert diff.title == "Grüße"
    assert "Stra\N{REPLACEMENT CHARACTER}e" in diff.text


def test_a_diff_may_have_so_many_bytes_and_no_more(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    made = commit_files(repo, "Add", {"a.txt": b"ten bytes\n" * 100})
    size = len(read_commit(repository=of(repo), commit=made).text.encode())

    monkeypatch.setattr(commits, "MAX_BYTES", size)
    assert read_commit(repository=of(repo), commit=made).added == 100
    monkeypatch.setattr(commits, "MAX_BYTES", size - 1)
    with pytest.raises(DiffRefused) as refused:
        read_commit(repository=of(repo), commit=made)

    assert refused.value.reason == "diff_too_large"
    assert refused.value.field == "commit"


def test_a_diff_may_have_so_many_files_and_no_more(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    made = commit_files(repo, "Add", {f"{number}.txt": b"x\n" for number in range(3)})

    monkeypatch.setattr(commits, "MAX_FILES", 3)
    assert read_commit(repository=of(repo), commit=made).files == 3
    monkeypatch.setattr(commits, "MAX_FILES", 2)
    with pytest.raises(DiffRefused) as refused:
        read_commit(repository=of(repo), commit=made)

    assert refused.value.reason == "diff_too_large"


def test_reading_ends_when_its_time_is_over(repo: Repo) -> None:
    made = commit_files(repo, "Add", {"a.txt": b"x\n"})

    with pytest.raises(DiffRefused) as refused:
        read_commit(repository=of(repo), commit=made, seconds=0)

    assert refused.value.reason == "took_too_long"
    assert refused.value.is_passing


@pytest.mark.parametrize(
    ("commit", "reason"),
    [
        ("0" * 40, "commit_unknown"),
        ("main", "commit_malformed"),
        ("abc1234", "commit_malformed"),
        ("--upload-pack=evil", "commit_malformed"),
        ("", "commit_malformed"),
    ],
)
def test_what_is_no_commit_here_is_refused_by_name(repo: Repo, commit: str, reason: str) -> None:
    commit_files(repo, "Begin", {"a.py": b"a\n"})

    with pytest.raises(DiffRefused) as refused:
        read_commit(repository=of(repo), commit=commit)

    assert (refused.value.field, refused.value.reason) == ("commit", reason)
    assert not refused.value.is_passing


def test_a_file_is_no_commit(repo: Repo) -> None:
    blob = Blob.from_string(b"content")
    repo.object_store.add_object(blob)

    with pytest.raises(DiffRefused, match="no such commit"):
        read_commit(repository=of(repo), commit=blob.id.decode())


def test_a_commit_that_changes_nothing_is_refused(repo: Repo) -> None:
    commit_files(repo, "Begin", {"a.py": b"a\n"})
    empty = commit_files(repo, "Nothing", {})

    with pytest.raises(DiffRefused) as refused:
        read_commit(repository=of(repo), commit=empty)

    assert refused.value.reason == "diff_empty"


def test_a_folder_without_a_repository_may_have_one_later(tmp_path: Path) -> None:
    with pytest.raises(DiffRefused) as refused:
        read_commit(repository=Repository(name=str(tmp_path), folder=tmp_path), commit="0" * 40)

    assert refused.value.reason == "repository_unavailable"
    assert str(tmp_path) not in str(refused.value)


def test_recent_commits_come_newest_first(repo: Repo, tmp_path: Path) -> None:
    names = [commit_files(repo, f"Commit {number}", {"a.py": str(number).encode()}) for number in range(4)]

    lines = recent_commits(repository=of(repo), limit=3)

    assert [line.commit for line in lines] == names[:0:-1]
    assert [line.subject for line in lines] == ["Commit 3", "Commit 2", "Commit 1"]
    assert recent_commits(repository=Repository(name="x", folder=tmp_path), limit=3) == []
    assert recent_commits(repository=Repository(name="https://example.com/x"), limit=3) == []
