"""What somebody wants summarised, and what makes a second wish the same one."""

from dataclasses import dataclass
from hashlib import sha256

from billing.errors import InvalidRequest
from usage import conf
from usage.diffs.commits import check_commit_name
from usage.diffs.diff import Diff, parse_pasted_diff
from usage.diffs.repositories import find_repository
from usage.models import CommitSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarySource:
    """A diff at hand, or a commit that a worker is to read."""

    title: str
    repository: str = ""
    commit: str = ""
    diff: Diff | None = None

    @property
    def fingerprint(self) -> str:
        """The same for the same commit, and for the same text however its lines end."""
        text = self.diff.text.strip() if self.diff else ""
        parts = ("commit", self.repository, self.commit) if self.commit else ("diff", text)
        return sha256("\0".join(parts).encode()).hexdigest()


def read_source(*, diff: str = "", repository: str = "", commit: str = "") -> SummarySource:
    """The source that a caller names: a diff's text, or an allowed repository and a commit's full name.

    Raises:
        InvalidRequest: both or neither was named.
        DiffRefused: what was named cannot be summarised; a commit is only looked for later.
    """
    if diff and (repository or commit):
        raise InvalidRequest(
            field="diff", fault="it came with a commit", remedy="Send either diff, or repository and commit."
        )
    if diff:
        parsed = parse_pasted_diff(diff)
        return SummarySource(title=parsed.title, diff=parsed)
    if not (repository and commit):
        missing = "commit" if repository else "repository" if commit else "diff"
        raise InvalidRequest(field=missing, fault="it is missing", remedy="Send diff, or repository and commit.")
    found = find_repository(name=repository, allowed=conf.summary_repositories())
    name = check_commit_name(commit)
    return SummarySource(title=f"{found.label} {name[:10]}", repository=found.name, commit=name)


def source_of(summary: CommitSummary) -> SummarySource:
    """What a summary was asked of, to ask for it again.

    Raises:
        DiffRefused: its repository may no longer be read.
    """
    if summary.commit:
        return read_source(repository=summary.repository, commit=summary.commit)
    return read_source(diff=summary.diff)
