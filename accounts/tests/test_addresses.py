from __future__ import annotations

import pytest

from accounts.addresses import normalise_address


@pytest.mark.parametrize(
    ("written", "mailbox"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("ada+news@example.com", "ada@example.com"),
        ("ada.l@example.com", "ada.l@example.com"),
        ("A.d.A+x@gmail.com", "ada@gmail.com"),
        ("ada@googlemail.com", "ada@gmail.com"),
        ("+odd@example.com", "+odd@example.com"),
        ("\uff41da@example.com", "ada@example.com"),
    ],
)
def test_spellings_of_one_mailbox_are_one_address(written: str, mailbox: str) -> None:
    assert normalise_address(written) == mailbox
