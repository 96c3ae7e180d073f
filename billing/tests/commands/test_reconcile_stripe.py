"""`manage.py reconcile_stripe`: what it prints, its exit codes, what it writes."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.management.progress_bar import ProgressBar
from billing.models import (
    BillingCustomer,
    CreditPack,
    OutgoingMail,
    Payment,
    ReconciliationFinding,
    ReconciliationRun,
    StripeEvent,
)
from billing.tests.shop import credited, open_checkout
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


@pytest.fixture
def lost(stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack) -> Payment:
    """Paid at Stripe, and no webhook came."""
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    stripe_sandbox.control.pay_session(started.session_id)
    return started.payment


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output."""
    out = StringIO()
    try:
        call_command("reconcile_stripe", *arguments, stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_clean_is_exit_code_0(gateway: StripeGateway) -> None:
    code, out = run()

    assert code == 0
    assert "Stripe and our books agree." in out


def test_findings_left_are_exit_code_1(lost: Payment) -> None:
    Payment.objects.update(amount_minor=999)

    assert run("--repair")[0] == 1
    assert run("--repair")[0] == 1


def test_report_waits_for_webhooks_and_repair_does_not(lost: Payment) -> None:
    assert run()[0] == 0
    assert credited(lost).entries == 0

    code, out = run("--repair")

    assert code == 0
    assert f"high: paid_not_granted: {lost.public_id}" in out
    assert "[repaired]" in out
    assert "6 findings: 6 repaired, 0 left." in out
    assert "USD in minor units: 1000 gross, 59 fees, 941 net." in out
    assert credited(lost).entries == 1


def test_json_is_one_document_with_each_finding(lost: Payment) -> None:
    code, out = run("--repair", "--json")

    told = json.loads(out)
    assert (code, told["state"], told["repaired"], told["left"], told["clean"]) == (0, "repaired", 6, 0, False)
    assert [one["kind"] for one in told["findings"]] == ["paid_not_granted", *["event_missed"] * 5]
    first = told["findings"][0]
    assert (first["payment"], first["state"], first["theirs"]["amount_minor"]) == (lost.public_id, "repaired", 1000)
    assert first["suggested_repair"]
    assert told["run"] == ReconciliationRun.objects.get().pk
    code, out = run("--json")
    assert (code, json.loads(out)["findings"], json.loads(out)["clean"]) == (0, [], True)


@pytest.mark.parametrize("arguments", [["--dry-run", "--repair"], ["--dry-run", "--repair", "--json"]])
def test_dry_run_writes_nothing(lost: Payment, settings: Settings, arguments: list[str]) -> None:
    settings.FINANCE_EMAILS = ["finance@example.com"]

    code, out = run(*arguments)

    assert code == 1
    assert out.count("paid_not_granted") >= 1
    assert out.count("not recorded") >= 3
    assert credited(lost).entries == 0
    assert not ReconciliationRun.objects.exists()
    assert not ReconciliationFinding.objects.exists()
    assert not StripeEvent.objects.exists()
    assert not OutgoingMail.objects.exists()


def test_new_findings_are_mailed(lost: Payment, settings: Settings) -> None:
    settings.FINANCE_EMAILS = ["finance@example.com"]

    run("--repair")
    run("--repair")

    assert OutgoingMail.objects.get().to == "finance@example.com"


def test_stripe_that_is_down_is_exit_code_2(stripe_sandbox: SandboxServer, lost: Payment) -> None:
    stripe_sandbox.control.fail_reads(percent=100)
    out = StringIO()

    with pytest.raises(CommandError) as refused:
        call_command("reconcile_stripe", "--json", stdout=out)

    assert refused.value.returncode == 2
    told = json.loads(out.getvalue())
    assert (told["clean"], told["error"]) == (False, "StripeUnavailable")


@pytest.mark.parametrize(
    "arguments", [["--customer", "nobody@example.com"], ["--since", "2026-11-20", "--until", "2026-11-19"]]
)
def test_what_cannot_be_meant_is_exit_code_2(gateway: StripeGateway, arguments: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("reconcile_stripe", *arguments, stdout=StringIO())

    assert refused.value.returncode == 2
    assert not ReconciliationRun.objects.exists()


def test_one_customer_is_named_by_address(lost: Payment, customer: BillingCustomer) -> None:
    assert customer.user is not None

    code, out = run("--customer", customer.user.email, "--repair")

    assert code == 0
    assert "1 findings: 1 repaired" in out


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_is_drawn_on_a_terminal_only() -> None:
    terminal, pipe = Terminal(), StringIO()
    for stream in (terminal, pipe):
        bar = ProgressBar(stream)
        bar.draw(label="charges", share=0.5, note="100 read, 2 findings")
        bar.clear()

    assert "############............]  50% charges: 100 read, 2 findings" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K")
    assert pipe.getvalue() == ""
