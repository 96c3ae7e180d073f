"""The diff of a commit against its first parent (of the first commit: against nothing), without a git program."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Final

from dulwich.errors import NotGitRepository
from dulwich.object_store import BaseObjectStore
from dulwich.objects import S_ISGITLINK, Commit, ObjectID
from dulwich.patch import write_object_diff
from dulwich.repo import Repo

from usage.diffs.deadline import Deadline
from usage.diffs.diff import MAX_BYTES, MAX_FILES, MAX_TITLE, Diff, clean_text, too_large
from usage.diffs.fetching import fetched
from usage.diffs.refusals import DiffRefused, Reason
from usage.diffs.repositories import Repository

READ_SECONDS: Final = 20.0
MAX_FILE_BYTES: Final = 1_000_000  # of one side of one file: comparing takes its time
_FULL_NAME: Final = re.compile(r"[0-9a-f]{40}")
_Side = tuple[bytes | None, int | None, ObjectID | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitLine:
    """A commit as a list shows it."""

    commit: str
    subject: str
    committed_at: datetime

    @property
    def short(self) -> str:
        return self.commit[:10]


def check_commit_name(commit: str) -> str:
    """The full name of a commit, in lower case.

    Raises:
        DiffRefused: it is a branch, a tag, or an abbreviation, which can mean another commit tomorrow.
    """
    name = commit.strip().lower()
    if not _FULL_NAME.fullmatch(name):
        raise DiffRefused(
            reason=Reason.MALFORMED_COMMIT,
            field="commit",
            fault="it is not the full name of a commit",
            remedy="Send all 40 hexadecimal digits, as `git rev-parse HEAD` prints them.",
        )
    return name


def read_commit(*, repository: Repository, commit: str, seconds: float = READ_SECONDS) -> Diff:
    """What a commit changed, titled by its subject.

    Raises:
        DiffRefused: there is no such commit, its diff is empty or too large, or it took too long; `is_passing` where
            it may go better in a moment.
    """
    deadline = Deadline(seconds=seconds)
    name = ObjectID(check_commit_name(commit).encode())
    with _opened(repository, name, deadline) as repo:
        try:
            return _read(repo.object_store, name, deadline)
        except (KeyError, AssertionError):
            raise unknown_commit() from None


def recent_commits(*, repository: Repository, limit: int) -> list[CommitLine]:
    """The latest commits of a local repository's current branch, newest first; none of what cannot be read."""
    if repository.folder is None:
        return []
    try:
        with Repo(str(repository.folder)) as repo:
            return [_line(entry.commit) for entry in repo.get_walker(max_entries=limit)]
    except (NotGitRepository, KeyError, OSError, ValueError):
        return []


def unknown_commit() -> DiffRefused:
    return DiffRefused(
        reason=Reason.UNKNOWN_COMMIT,
        field="commit",
        fault="the repository has no such commit",
        remedy="Send a commit that has been pushed there.",
    )


def _opened(repository: Repository, name: ObjectID, deadline: Deadline) -> AbstractContextManager[Repo]:
    if repository.folder is None:
        return fetched(repository=repository, commit=name, deadline=deadline)
    try:
        return Repo(str(repository.folder))
    except (NotGitRepository, OSError, ValueError):
        raise DiffRefused(
            reason=Reason.UNAVAILABLE,
            field="repository",
            fault="it cannot be opened",
            remedy="Try again later, or paste the diff.",
        ) from None


def _read(store: BaseObjectStore, name: ObjectID, deadline: Deadline) -> Diff:
    commit = store[name]
    if not isinstance(commit, Commit):
        raise unknown_commit()
    parent = store[commit.parents[0]] if commit.parents else None
    before = parent.tree if isinstance(parent, Commit) else None
    pieces: list[str] = []
    size = added = removed = 0
    for old, new in _changes(store, before, commit.tree):
        deadline.check()
        text = _diff_file(store, old, new)
        size += len(text.encode())
        if size > MAX_BYTES or len(pieces) == MAX_FILES:
            raise too_large(field="commit")
        pieces.append(text)
        lines = text.partition("\n@@")[2].split("\n")[1:]
        added += sum(line.startswith("+") for line in lines)
        removed += sum(line.startswith("-") for line in lines)
    if not pieces:
        raise DiffRefused(
            reason=Reason.EMPTY,
            field="commit",
            fault="it changes nothing",
            remedy="Choose a commit that changes files.",
        )
    return Diff(text="".join(pieces), title=_line(commit).subject, files=len(pieces), added=added, removed=removed)


def _changes(store: BaseObjectStore, before: ObjectID | None, after: ObjectID) -> Iterator[tuple[_Side, _Side]]:
    for paths, modes, names in store.tree_changes(before, after):
        yield (paths[0], modes[0], names[0]), (paths[1], modes[1], names[1])


def _diff_file(store: BaseObjectStore, old: _Side, new: _Side) -> str:
    for _, mode, name in (old, new):
        is_file = name is not None and mode is not None and not S_ISGITLINK(mode)
        if is_file and name is not None and store[name].raw_length() > MAX_FILE_BYTES:
            return _name_only(old, new)
    buffer = BytesIO()
    write_object_diff(buffer, store, old, new)
    return clean_text(buffer.getvalue().decode("utf-8", errors="replace"))


def _name_only(old: _Side, new: _Side) -> str:
    """A file that is too large to compare is named like a binary one."""
    before, after = (
        prefix + path.decode("utf-8", errors="replace") if path else "/dev/null"
        for prefix, path in (("a/", old[0]), ("b/", new[0]))
    )
    return f"diff --git {before} {after}\nLarge files {before} and {after} differ\n"


def _line(commit: Commit) -> CommitLine:
    subject = clean_text(commit.message.decode("utf-8", errors="replace")).strip().partition("\n")[0]
    return CommitLine(
        commit=commit.id.decode(),
        subject=subject[:MAX_TITLE] or commit.id.decode()[:10],
        committed_at=datetime.fromtimestamp(max(0, min(commit.commit_time, 4_102_444_800)), UTC),
    )
