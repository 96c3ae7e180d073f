"""docs/notices.md is what integrators read: its table names every event, what it carries, and whether it is mailed."""

import re
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.urls import resolve

from billing.notice_kinds import MAIL_RULES, NoticeEvent
from billing.services.mail_texts import shapes
from billing.tests.services.payloads import PAYLOADS


class Row(NamedTuple):
    fields: set[str]
    mail: str


def rows() -> dict[str, Row]:
    text = (Path(settings.BASE_DIR) / "docs/notices.md").read_text()
    table = re.findall(r"^\| `([a-z_.]+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    return {event: Row(set(re.findall(r"`(\w+)`", fields)), mail.strip()) for event, fields, mail in table}


def test_every_event_has_its_row() -> None:
    assert rows().keys() == {event.value for event in NoticeEvent}


def test_the_table_says_what_is_mailed() -> None:
    words = {
        event.value: "none"
        if event not in MAIL_RULES
        else "can be switched off"
        if MAIL_RULES[event].can_be_switched_off
        else "always"
        for event in NoticeEvent
    }

    assert {event: row.mail for event, row in rows().items()} == words


def test_examples_carry_what_the_table_names() -> None:
    assert {event.value: set(payload) for event, payload in PAYLOADS.items()} == {
        event: row.fields for event, row in rows().items() if event in {known.value for known in PAYLOADS}
    }


def test_mails_lead_to_pages_that_exist() -> None:
    paths = {value for name, value in vars(shapes).items() if name.isupper() and str(value).startswith("/")}

    assert len(paths) == 10
    for path in paths:
        assert resolve(path)
