"""docs/api.md: its examples run, its answers have the members that ours have, its codes are the ones we send."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from string import Template
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from rest_framework import exceptions

from accounts.models import User
from billing.api.authentication import CsrfFailed
from billing.api.parsing import BodyTooLarge
from billing.api.permissions import SecondFactorRequired
from billing.api.staff_credits import CreditsBody
from billing.models import BillingCustomer, ReasonCode
from billing.tests.api.conftest import CREDITS, ENTRIES, give
from billing.tests.shop import make_customer
from billing.views.refusals import STATUSES

PAGE = (Path(settings.BASE_DIR) / "docs/api.md").read_text()
FOREIGN = (
    exceptions.NotAuthenticated,
    exceptions.PermissionDenied,
    exceptions.NotFound,
    exceptions.MethodNotAllowed,
    exceptions.UnsupportedMediaType,
    exceptions.ParseError,
    CsrfFailed,
    SecondFactorRequired,
    BodyTooLarge,
)

pytestmark = pytest.mark.django_db


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run_curl(command: str, *, agent: User) -> Any:
    """What a curl command of the page gets from us, with the cookies of the agent's browser."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(agent)
    names = {"SITE": "http://testserver", "SESSION": browser.cookies["sessionid"].value, "CSRF": "x" * 32}
    words = shlex.split(Template(command).substitute(names).replace("\\\n", " "))
    assert words[0] == "curl"
    headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
    body = next((words[place + 1] for place, word in enumerate(words) if word == "-d"), None)
    content_type = headers.pop("Content-Type", "")
    address = words[1].removeprefix(names["SITE"])
    stranger = Client(enforce_csrf_checks=True)  # knows the cookies of the header and no others
    return stranger.generic("GET" if body is None else "POST", address, body or "", content_type, headers=headers)


@pytest.fixture
def ada(db: None) -> BillingCustomer:
    return make_customer(email="ada@example.com")


@pytest.mark.usefixtures("ada")
def test_examples_of_the_page_do_what_it_says(agent: User) -> None:
    [asking] = blocks("sh", section("Giving and taking credits"))
    [reading] = blocks("sh", section("Reading the ledger"))
    [documented] = blocks("json", section("Giving and taking credits"))
    promised = json.loads(documented)

    given = run_curl(asking, agent=agent)
    again = run_curl(asking, agent=agent)
    listed = run_curl(reading, agent=agent)

    assert given.status_code == 201, given.content
    assert given.json().keys() == promised.keys()
    assert given.json()["entry"].keys() == promised["entry"].keys()
    same = ("object", "amount", "reason_code", "note", "ticket", "state", "limit_reason", "decide_until")
    assert {name: given.json()[name] for name in same} == {name: promised[name] for name in same}
    assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (201, given.json(), "true")
    assert listed.status_code == 200, listed.content
    assert listed.json()["data"] == [given.json()["entry"]]
    [shape] = blocks("json", section("Lists"))
    assert listed.json().keys() == json.loads(shape).keys()


def test_example_of_a_refusal_is_what_we_send(api: Client) -> None:
    [documented] = blocks("json", section("Refusals"))

    assert give(api, {"ammount": "5"}).json() == json.loads(documented)


def test_codes_of_the_page_have_the_statuses_that_we_send() -> None:
    documented = {code: int(status) for code, status in re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE, re.MULTILINE)}
    of_frameworks = {str(each.default_code): each.status_code for each in FOREIGN}
    ours = {code: status for code, status in STATUSES.items() if code in documented}

    assert documented == {**ours, **of_frameworks, "internal_error": 500}


def test_addresses_fields_and_reasons_of_the_page_are_ours() -> None:
    assert re.findall(r"^\| `\w+ (\S+)` \|", PAGE, re.MULTILINE) == [CREDITS, ENTRIES]
    fields = re.findall(r"^\| `(\w+)` \| ", section("Giving and taking credits"), re.MULTILINE)
    assert fields == list(CreditsBody().fields)
    [reasons] = [line for line in PAGE.splitlines() if line.startswith("| `reason_code`")]
    assert re.findall(r"`(\w+)`", reasons)[1:] == ReasonCode.values
