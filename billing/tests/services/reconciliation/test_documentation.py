"""docs/reconciliation.md explains every kind of finding, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from billing.services.reconciliation.kinds import BUCKET_LABELS, FINDING_KINDS, Bucket, Repair
from billing.services.reconciliation.settling import SETTLED

BILLING = Path(settings.BASE_DIR) / "billing"
PAGE = Path(settings.BASE_DIR) / "docs" / "reconciliation.md"
HEADING = re.compile(r"^#### `(\w+)`$", re.MULTILINE)


def sections() -> dict[str, str]:
    """What the page says of each kind."""
    page = PAGE.read_text(encoding="utf-8")
    heads = list(HEADING.finditer(page))
    ends = [head.start() for head in heads[1:]] + [len(page)]
    return {head[1]: page[head.end() : end] for head, end in zip(heads, ends, strict=True)}


def words_in_the_code() -> Iterator[str]:
    """Every text in the code of billing but for where kinds are told apart."""
    for path in BILLING.rglob("*.py"):
        if (
            "tests" in path.parts
            or "migrations" in path.parts
            or path.name in ("kinds.py", "repairing.py", "settling.py")
        ):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def kinds_that_are_raised() -> Iterator[str]:
    """The kinds that the code names outright when it makes a finding or a difference."""
    for path in BILLING.rglob("*.py"):
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Difference", "raise_finding"):
                for keyword in node.keywords:
                    if keyword.arg == "kind" and isinstance(keyword.value, ast.Constant):
                        yield str(keyword.value.value)


def test_each_kind_has_a_section_and_each_section_a_kind() -> None:
    assert sorted(sections()) == sorted(FINDING_KINDS)


def test_each_kind_is_raised_and_each_that_is_raised_is_known() -> None:
    assert set(FINDING_KINDS) <= set(words_in_the_code())
    assert set(kinds_that_are_raised()) <= set(FINDING_KINDS)


def test_page_says_of_each_kind_who_puts_it_right() -> None:
    for name, text in sections().items():
        is_repaired = FINDING_KINDS[name].repair is not Repair.STAFF
        assert ("**Repaired" in text) is is_repaired, name
        assert ("**A person**" in text) is not is_repaired, name


def test_each_repair_knows_when_it_has_worked() -> None:
    assert set(SETTLED) == {kind.name for kind in FINDING_KINDS.values() if kind.repair is not Repair.STAFF}


def test_each_bucket_has_a_label_and_kinds() -> None:
    assert set(BUCKET_LABELS) == set(Bucket) == {kind.bucket for kind in FINDING_KINDS.values()}
