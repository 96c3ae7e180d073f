"""`stripe_conformance`, tried on the stand-in: what agrees, what is left out, and what is said about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from billing.gateway.conformance import ConformanceAccount
from billing.gateway.parsing import parse_refund
from sandbox.conformance import steps
from sandbox.conformance.account import Difference, Observer, redact
from sandbox.conformance.judging import wait_for
from sandbox.conformance.running import STEPS, StepReport, run_steps
from sandbox.contract.check import Contract
from sandbox.stripe.routes import ROUTES
from sandbox.stripe.server import SandboxServer

LEFT_OUT = {"start_test_clock", "renew"}  # what needs a test clock


@pytest.fixture
def account(stripe_sandbox: SandboxServer) -> ConformanceAccount:
    return ConformanceAccount(secret_key="sk_test_conformance", api_base=stripe_sandbox.base_url)


def by_name(reports: list[StepReport]) -> dict[str, StepReport]:
    return {report.name: report for report in reports}


@pytest.fixture
def no_test_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another side without test clocks, like an account that may not make any."""
    monkeypatch.delitem(ROUTES, ("post", "/v1/test_helpers/test_clocks"))


def test_stand_in_agrees_in_every_step(account: ConformanceAccount, tmp_path: Path) -> None:
    reports = by_name(run_steps(account=account, directory=tmp_path))

    assert list(reports) == [*(step.__name__ for step in STEPS), "clean_up"]
    assert {name: report.details for name, report in reports.items() if report.outcome != "agrees"} == {}


@pytest.mark.usefixtures("no_test_clocks")
def test_what_the_other_side_lacks_is_left_out(account: ConformanceAccount, tmp_path: Path) -> None:
    reports = by_name(run_steps(account=account, directory=tmp_path))

    assert {name: report.details for name, report in reports.items() if report.outcome == "differs"} == {}
    assert {name for name, report in reports.items() if report.outcome == "skipped"} == LEFT_OUT


def test_what_was_seen_is_stored_without_secrets(account: ConformanceAccount, tmp_path: Path) -> None:
    run_steps(account=account, directory=tmp_path)

    files = sorted(tmp_path.iterdir())
    text = "".join(file.read_text() for file in files)
    paid = json.loads((tmp_path / "05-pay.json").read_text())
    assert len(files) == len(STEPS)
    assert paid["outcome"] == "agrees"
    assert any(seen["body"].get("status") == "succeeded" for seen in paid["seen"])
    for secret in ("_secret_", "conformance@example.com", "sk_test_"):
        assert secret not in text, secret


def test_everything_that_was_made_is_ended(
    account: ConformanceAccount, stripe_sandbox: SandboxServer, tmp_path: Path
) -> None:
    run_steps(account=account, directory=tmp_path)

    control = stripe_sandbox.control
    assert not any(price["active"] for price in control.list_objects("price"))
    assert not any(product["active"] for product in control.list_objects("product"))
    assert {each["status"] for each in control.list_objects("subscription")} <= {"canceled"}


def test_other_side_that_answers_otherwise_differs(
    account: ConformanceAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "REFUND_MINOR", 301)
    monkeypatch.setattr(
        "sandbox.conformance.steps.parse_refund", lambda refund: parse_refund({**refund, "amount": 300})
    )

    reports = by_name(run_steps(account=account, directory=tmp_path))

    assert reports["refund"].outcome == "differs"
    assert "amount_minor is 300, expected 301" in reports["refund"].details[0]
    assert json.loads((tmp_path / "08-refund.json").read_text())["outcome"] == "differs"


def test_object_that_breaks_the_contract_differs(
    account: ConformanceAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stricter(Contract):
        def check_resource(self, resource: dict[str, Any]) -> list[str]:
            return ["product.name: gone"] if resource["object"] == "product" else super().check_resource(resource)

    monkeypatch.setattr("sandbox.conformance.account.Contract", Stricter)

    reports = by_name(run_steps(account=account, directory=tmp_path))

    assert reports["create_catalog"] == StepReport("create_catalog", "differs", ["product.name: gone"])


def test_what_never_comes_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.conformance.judging.WAIT_SECONDS", 0.0)

    with pytest.raises(Difference, match="The dispute: not within"):
        wait_for(lambda: None, "The dispute")


def test_observer_skips_what_the_other_side_does_not_have(account: ConformanceAccount) -> None:
    reports = Observer(account)

    with pytest.raises(Exception, match="The other side has no GET /v1/billing/credit_grants"):
        reports.ask("get", "/v1/billing/credit_grants")


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ({"client_secret": "pi_1_secret_abc"}, {"client_secret": "[redacted]"}),
        ({"a": ["cs_test_a1_secret_fid"]}, {"a": ["[redacted]"]}),
        ({"url": None, "email": "ada@example.com"}, {"url": None, "email": "[redacted]"}),
        ("Invalid API Key provided: sk_test_abcdefghijklmnopqrstuvwx", "Invalid API Key provided: [redacted]"),
        ({"amount": 1, "id": "pi_1"}, {"amount": 1, "id": "pi_1"}),
    ],
)
def test_secrets_are_redacted(value: Any, stored: Any) -> None:
    assert redact(value) == stored


@pytest.mark.parametrize("key", ["sk_live_x", "rk_live_x", "pk_test_x", "sk_test_x sk_live_y", ""])
def test_only_a_test_key_is_taken(key: str) -> None:
    with pytest.raises(ValueError, match="test key"):
        ConformanceAccount(secret_key=key, api_base="https://api.stripe.com")


class TestCommand:
    def test_without_a_key_nothing_is_proven(self, settings: Settings) -> None:
        settings.STRIPE_CONFORMANCE_KEY = ""

        with pytest.raises(CommandError, match="NOTHING WAS PROVEN") as error:
            call_command("stripe_conformance")
        assert error.value.returncode == 2

    def test_live_key_is_refused_before_anything_is_asked(self, settings: Settings) -> None:
        settings.STRIPE_CONFORMANCE_KEY = "sk_live_x"

        with pytest.raises(CommandError, match="test key") as error:
            call_command("stripe_conformance")
        assert error.value.returncode == 2

    def test_address_that_does_not_answer_is_an_error(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("billing.gateway.conformance.MAX_NETWORK_RETRIES", 0)
        settings.BASE_DIR = tmp_path

        with pytest.raises(CommandError, match="ConnectionError") as error:
            call_command("stripe_conformance", api_base="http://127.0.0.1:9")
        assert error.value.returncode == 2

    def test_stand_in_that_agrees_ends_well(
        self, settings: Settings, stripe_sandbox: SandboxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings.BASE_DIR = tmp_path

        call_command("stripe_conformance", api_base=stripe_sandbox.base_url)

        assert "nothing was proven about Stripe" in capsys.readouterr().out

    @pytest.mark.usefixtures("no_test_clocks")
    def test_stand_in_is_told_from_stripe(
        self, settings: Settings, stripe_sandbox: SandboxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings.BASE_DIR = tmp_path

        with pytest.raises(SystemExit) as ended:
            call_command("stripe_conformance", api_base=stripe_sandbox.base_url)
        told = capsys.readouterr().out
        with pytest.raises(SystemExit):
            call_command("stripe_conformance", api_base=stripe_sandbox.base_url, json=True)
        document = json.loads(capsys.readouterr().out)

        assert ended.value.code == 1  # something was left out, so not everything is proven
        assert "nothing was proven about Stripe" in told
        assert "skipped  renew" in told
        assert document["is_stripe"] is False
        assert {step["outcome"] for step in document["steps"]} == {"agrees", "skipped"}
        assert list((tmp_path / "var/conformance").iterdir())
