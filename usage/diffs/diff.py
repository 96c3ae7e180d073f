"""A diff and its measure, and the reading of one that somebody pasted."""

import re
from dataclasses import dataclass
from typing import Final

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from usage.diffs.refusals import DiffRefused, Reason

MAX_BYTES: Final = 200_000
MAX_FILES: Final = 2_000
MAX_TITLE: Final = 300
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What changed, as text, and how much that is. Binary files are named in it, their content is not."""

    text: str
    title: str
    files: int
    added: int
    removed: int


def parse_pasted_diff(text: str) -> Diff:
    """The diff of a unified diff's text, as `git diff`, `git show` or `diff -u` print it.

    Raises:
        DiffRefused: it is empty, too large, or no diff.
    """
    text = clean_text(text)
    if not text.strip():
        raise DiffRefused(reason=Reason.EMPTY, field="diff", fault="it is empty", remedy="Send what git diff prints.")
    return measure_diff(text=text)


def measure_diff(*, text: str, title: str = "", field: str = "diff") -> Diff:
    """Count what a unified diff changes; without a title it is named for its first file.

    Raises:
        DiffRefused: the text is too large, or no diff.
    """
    if len(text.encode()) > MAX_BYTES:
        raise too_large(field=field)
    try:
        patches = PatchSet(text)
    except UnidiffParseError as fault:
        raise _no_diff(field=field, fault=f"it cannot be read as a diff ({fault})") from None
    except ValueError:  # numbers of lines that are none
        raise _no_diff(field=field, fault="it cannot be read as a diff") from None
    if not patches:
        raise _no_diff(field=field, fault="it is not a diff")
    if len(patches) > MAX_FILES:
        raise too_large(field=field)
    return Diff(
        text=text,
        title=(title or _name(patches))[:MAX_TITLE],
        files=len(patches),
        added=patches.added,
        removed=patches.removed,
    )


def too_large(*, field: str) -> DiffRefused:
    """The refusal of more than is summarised at once."""
    return DiffRefused(
        reason=Reason.TOO_LARGE,
        field=field,
        fault=f"the diff has more than {MAX_BYTES // 1000} kB or {MAX_FILES:,} files",
        remedy="Send a smaller one, such as the diff of one folder.",
    )


def clean_text(text: str) -> str:
    """The text with the line ends of Unix, and without what PostgreSQL has no text for."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def _no_diff(*, field: str, fault: str) -> DiffRefused:
    return DiffRefused(
        reason=Reason.NOT_A_DIFF,
        field=field,
        fault=fault,
        remedy="Send a unified diff, as git diff or git show print it, whole.",
    )


def _name(patches: PatchSet) -> str:
    first, others = patches[0].path, len(patches) - 1
    return f"Diff of {first}" + (f" and {others} more" if others else "")
