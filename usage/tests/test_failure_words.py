"""What people read of a call that failed or broke off."""

import pytest

from usage.models import UsageEvent


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("", ""),
        ("timeout", "The provider did not answer in time."),
        ("client_gone", "The connection to you ended before the answer did."),
        ("answered_503", "The provider failed: it answered 503."),
        ("refused_400", "The provider refused: it answered 400."),
        ("answered_nothing", "answered_nothing"),
        ("The printer is out of paper.", "The printer is out of paper."),
    ],
)
def test_codes_of_ours_are_told_in_words_and_other_texts_as_they_are(failure: str, words: str) -> None:
    assert UsageEvent(failure=failure).failure_words == words
