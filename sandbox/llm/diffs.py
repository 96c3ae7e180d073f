"""A sensible text about a diff: what it changes, from nothing but the diff (pure)."""

import re
from dataclasses import dataclass

_FILE = re.compile(r"^diff --git a/(?P<old>.+?) b/(?P<new>.+)$", re.MULTILINE)
_MAX_FILES = 8


@dataclass(slots=True)
class _Change:
    path: str
    added: int = 0
    removed: int = 0

    def __str__(self) -> str:
        return f"{self.path}: {self.added} lines added, {self.removed} removed."


def summarise_diff(text: str) -> str | None:
    """A sentence about the whole and a line for each file; None where the text has no diff in it."""
    changes = _read_changes(text)
    if not changes:
        return None
    added, removed = sum(change.added for change in changes), sum(change.removed for change in changes)
    noun = "file" if len(changes) == 1 else "files"
    lines = [f"This change touches {len(changes)} {noun}, with {added} lines added and {removed} removed."]
    by_size = sorted(changes, key=lambda change: (-(change.added + change.removed), change.path))
    lines += [f"- {change}" for change in by_size[:_MAX_FILES]]
    if len(changes) > _MAX_FILES:
        lines.append(f"- and {len(changes) - _MAX_FILES} more.")
    return "\n".join(lines)


def _read_changes(text: str) -> list[_Change]:
    changes: list[_Change] = []
    for line in text.splitlines():
        if named := _FILE.match(line):
            changes.append(_Change(path=named["new"]))
        elif line.startswith("+++ ") and not changes:
            changes.append(_Change(path=line[4:].split("\t")[0].removeprefix("b/")))
        elif not changes or line.startswith(("+++ ", "--- ")):
            continue
        elif line.startswith("+"):
            changes[-1].added += 1
        elif line.startswith("-"):
            changes[-1].removed += 1
    return changes
