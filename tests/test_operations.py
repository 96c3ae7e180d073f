"""docs/operations.md and docs/webhooks.md tell of what there is: each alarm, each entry of beat, each event."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery.schedules import crontab
from django.conf import settings

from billing.models import AlarmKind
from billing.notice_kinds import NoticeEvent
from billing.outgoing.signing import new_secret, signed_headers

DOCS = Path(settings.BASE_DIR) / "docs"
OPERATIONS, WEBHOOKS, NOTICES = ((DOCS / name).read_text() for name in ("operations.md", "webhooks.md", "notices.md"))


def rows(page: str, heading: str) -> dict[str, list[str]]:
    """The table below a heading: the name in each first cell, and the other cells."""
    part = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| `([\w.-]+)` \| (.*) \|$", part, re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in found}


def test_every_alarm_says_what_to_do() -> None:
    told = rows(OPERATIONS, "Alarms and what to do")

    assert set(told) == set(AlarmKind.values)
    assert all(len(cells) == 3 and all(cells) for cells in told.values())


def test_the_table_of_beat_is_the_schedule() -> None:
    told = {name: cells[0] for name, cells in rows(OPERATIONS, "What beat schedules").items()}

    def when(schedule: Any) -> str:
        if isinstance(schedule, crontab):
            cron: Any = schedule  # its types lack these
            (minute,), days = cron.minute, cron.day_of_month
            if len(cron.hour) == 24:
                return f"every hour at :{minute:02}"
            (hour,) = cron.hour
            return f"{hour:02}:{minute:02}" + ("" if len(days) == 31 else f" on day {min(days)}")
        return f"every {schedule:g} s"

    assert told == {name: when(entry["schedule"]) for name, entry in settings.CELERY_BEAT_SCHEDULE.items()}


def test_events_of_the_page_have_the_payload_that_notices_have() -> None:
    told = {name: cells[-1] for name, cells in rows(WEBHOOKS, "What comes").items()}
    notices = {name: cells[1] for name, cells in rows(NOTICES, "The events").items()}

    assert set(told) <= set(NoticeEvent)
    assert told == {name: notices[name] for name in told}


def test_the_recipe_for_the_shell_makes_our_signature(tmp_path: Path) -> None:
    recipe = re.findall(r"^```sh\n(.*?)^```", WEBHOOKS, re.MULTILINE | re.DOTALL)[0]
    secret, body = new_secret(), '{"type": "balance.low", "data": {"customer": "cust_ü"}}'
    headers = signed_headers(message_id="evt_1", body=body, sent_at=datetime.now(UTC), secrets=[secret])
    environment = {"SECRET": secret, "ID": "evt_1", "TIMESTAMP": headers["webhook-timestamp"], "BODY": body}

    made = subprocess.run(
        ["/bin/sh", "-c", recipe], env={**environment, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )

    if made.returncode:
        pytest.fail(made.stderr)
    assert f"v1,{made.stdout.strip()}" == headers["webhook-signature"]


def test_the_recipe_for_python_verifies_and_refuses() -> None:
    names: dict[str, object] = {}
    recipe = re.findall(r"^```python\n(.*?)^```", WEBHOOKS, re.MULTILINE | re.DOTALL)[0]
    exec(compile(recipe, "docs/webhooks.md", "exec"), names)  # noqa: S102  # our own page
    receive = names["receive"]
    assert callable(receive)
    secret, body = new_secret(), '{"type": "balance.low"}'
    headers = signed_headers(message_id="evt_1", body=body, sent_at=datetime.now(UTC), secrets=[secret])

    assert receive(body, headers, secret) == {"type": "balance.low"}
    assert receive(body + " ", headers, secret) is None
