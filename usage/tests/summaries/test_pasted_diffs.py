"""Pasted diffs: what is one, and what is not."""

import pytest

from usage.diffs import diff as diff_module
from usage.diffs.diff import parse_pasted_diff
from usage.diffs.refusals import DiffRefused

DIFF = "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n"
IMAGE = "diff --git a/x.png b/x.png\nindex 1..2 100644\nBinary files a/x.png and b/x.png differ\n"


def test_a_diff_is_measured_and_named_for_its_files() -> None:
    one, two = parse_pasted_diff(DIFF), parse_pasted_diff(DIFF + DIFF.replace("x.py", "y.py"))

    assert (one.title, one.files, one.added, one.removed) == ("Diff of x.py", 1, 1, 1)
    assert (two.title, two.files, two.added, two.removed) == ("Diff of x.py and 1 more", 2, 2, 2)


def test_a_diff_of_images_alone_is_one() -> None:
    assert parse_pasted_diff(IMAGE).files == 1


def test_line_ends_of_forms_do_not_make_another_diff() -> None:
    assert parse_pasted_diff(DIFF.replace("\n", "\r\n")) == parse_pasted_diff(DIFF)


def test_characters_that_the_database_refuses_are_replaced() -> None:
    assert parse_pasted_diff(DIFF.replace("three", "th\0\ud800ee")).text.count("\N{REPLACEMENT CHARACTER}") == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (" \n", "diff_empty"),
        ("Please write a poem.", "not_a_diff"),
        ('{"json": true}', "not_a_diff"),
        (DIFF.replace("+three\n", ""), "not_a_diff"),
        (DIFF.replace("-1,2", "-" + "9" * 5000), "not_a_diff"),
    ],
)
def test_what_is_no_diff_is_refused_with_its_field_and_a_remedy(text: str, reason: str) -> None:
    with pytest.raises(DiffRefused) as refused:
        parse_pasted_diff(text)

    assert (refused.value.field, refused.value.reason) == ("diff", reason)
    assert "git diff" in refused.value.remedy


def test_a_diff_may_have_so_many_bytes_and_files_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(DIFF.encode())

    monkeypatch.setattr(diff_module, "MAX_BYTES", size)
    assert parse_pasted_diff(DIFF).files == 1
    with pytest.raises(DiffRefused) as large:
        parse_pasted_diff(DIFF + "\n")
    monkeypatch.undo()
    monkeypatch.setattr(diff_module, "MAX_FILES", 1)
    with pytest.raises(DiffRefused) as many:
        parse_pasted_diff(DIFF + DIFF.replace("x.py", "y.py"))

    assert {large.value.reason, many.value.reason} == {"diff_too_large"}
