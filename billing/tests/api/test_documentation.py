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
from django.urls import URLPattern

from accounts.models import User
from billing.api.base import CallerView
from billing.api.schema.problems import FRAMEWORK_CODES
from billing.api.staff_credits import CreditsBody
from billing.api.urls import urlpatterns
from billing.models import BillingCustomer, ReasonCode
from billing.tests.api.conftest import CREDITS, ENTRIES, Program, give
from billing.tests.shop import make_customer
from billing.views.refusals import STATUSES

PAGE = (Path(settings.BASE_DIR) / "docs/api.md").read_text()
pytestmark = pytest.mark.django_db


def view_of(address: URLPattern) -> Any:
    return address.callback.view_class  # type: ignore[attr-defined]


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run_curl(command: str, *, agent: User, key: str = "") -> Any:
    """What a curl command of the page gets from us, with the cookies of the agent's browser or with an API key."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(agent)
    cookies = {"SESSION": browser.cookies["sessionid"].value, "CSRF": "x" * 32}
    names = {"SITE": "http://testserver", "KEY": key, **cookies}
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


def test_examples_for_programs_do_what_the_page_says(program: Program, platform: Program, agent: User) -> None:
    [reading], [debiting, holding] = blocks("sh", section("The balance")), blocks("sh", section("Spending"))
    [making] = blocks("sh", section("Customers of your product"))
    [balance], [hold] = blocks("json", section("The balance")), blocks("json", section("Spending"))

    read = run_curl(reading, agent=agent, key=program.text).json()
    debited = run_curl(debiting, agent=agent, key=program.text)
    held = run_curl(holding, agent=agent, key=program.text)
    made = run_curl(making, agent=agent, key=platform.text)

    assert {**read, "recent_entries": []} == json.loads(balance)
    assert (debited.status_code, debited.json()["amount"]) == (201, "-12.500000")
    own = ("id", "customer", "placed_at", "expires_at")
    assert held.status_code == 201, held.content
    assert held.json().keys() == json.loads(hold).keys()
    assert {**held.json(), **dict.fromkeys(own)} == {**json.loads(hold), **dict.fromkeys(own)}
    assert (made.status_code, made.json()["external_id"]) == (201, "user-17")


def test_example_of_a_refusal_is_what_we_send(api: Client) -> None:
    [documented] = blocks("json", section("Refusals"))

    assert give(api, {"ammount": "5"}).json() == json.loads(documented)


def test_codes_of_the_page_have_the_statuses_that_we_send() -> None:
    documented = {code: int(status) for code, status in re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE, re.MULTILINE)}
    ours = {code: status for code, status in STATUSES.items() if code in documented}

    assert documented == {**ours, **FRAMEWORK_CODES}


def test_addresses_fields_and_reasons_of_the_page_are_ours() -> None:
    ours = {
        re.sub(r"<\w+:(\w+)>", r"{\1}", f"/api/v1/{address.pattern}"): list(view_of(address).scopes)
        for address in urlpatterns
        if issubclass(view_of(address), CallerView)
    }
    listed = re.findall(r"^\| `(\w+) (\S+)` \|", PAGE, re.MULTILINE)
    staff = [("POST", CREDITS), ("GET", ENTRIES)]
    assert sorted(listed) == sorted([(method, path) for path, methods in ours.items() for method in methods] + staff)
    fields = re.findall(r"^\| `(\w+)` \| ", section("Giving and taking credits"), re.MULTILINE)
    assert fields == list(CreditsBody().fields)
    [reasons] = [line for line in PAGE.splitlines() if line.startswith("| `reason_code`")]
    assert re.findall(r"`(\w+)`", reasons)[1:] == ReasonCode.values
