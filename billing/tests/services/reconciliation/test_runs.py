"""The rows of runs, the alarm at their end, what the schedule starts, and two at once."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone
from pytest_django import Settings

from billing.errors import StripeUnavailable
from billing.gateway.client import StripeGateway
from billing.models import (
    BillingCustomer,
    FindingState,
    MailState,
    OutgoingMail,
    Payment,
    ReconciliationFinding,
    ReconciliationRun,
    RunKind,
    RunState,
    RunTrigger,
    StripeEvent,
)
from billing.services.alarms import alarm_of_run
from billing.services.mail_sending import send_due_mails
from billing.services.reconciliation import runs
from billing.services.reconciliation.kinds import FINDING_KINDS
from billing.services.reconciliation.runs import start_run
from billing.services.reconciliation.schedule import RECENT, reconcile_on_schedule
from billing.tests.services.money_back import deliver_all, posted
from billing.tests.services.reconciliation.running import reconcile
from billing.tests.shop import credited, make_customer, make_pack, open_checkout
from billing.webhooks.catching_up import inbox_of
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


def dead_run() -> ReconciliationRun:
    return ReconciliationRun.objects.create(
        kind=RunKind.STRIPE, trigger=RunTrigger.COMMAND, started_at=timezone.now() - timedelta(hours=1)
    )


def test_run_whose_process_is_gone_has_failed(gateway: StripeGateway) -> None:
    dead = dead_run()

    reconcile(gateway)

    dead.refresh_from_db()
    assert (dead.state, dead.error) == (RunState.FAILED, "Its process ended before it did.")
    assert dead.ended_at is not None


@pytest.mark.django_db(transaction=True)
def test_run_that_is_alive_elsewhere_goes_on(gateway: StripeGateway) -> None:
    other: list[ReconciliationRun] = []
    is_started, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        other.append(start_run(kind=RunKind.STRIPE, trigger=RunTrigger.SCHEDULE, repairs=True))
        is_started.set()
        may_end.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_started.wait(30)
    try:
        reconcile(gateway)
        other[0].refresh_from_db()
        assert other[0].state == RunState.RUNNING
    finally:
        may_end.set()
        thread.join()
    reconcile(gateway)
    other[0].refresh_from_db()
    assert other[0].state == RunState.FAILED


def test_stripe_that_cannot_be_read_fails_the_run_and_repairs_nothing(
    stripe_sandbox: SandboxServer, lost: Payment, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    stripe_sandbox.control.fail_reads(percent=100)

    with pytest.raises(StripeUnavailable):
        reconcile(gateway, repairs=True)

    run = ReconciliationRun.objects.get()
    assert (run.state, run.error[:17]) == (RunState.FAILED, "StripeUnavailable")
    assert posted(customer) == 0


def test_repair_that_fails_leaves_its_finding_and_the_others_repaired(
    stripe_sandbox: SandboxServer, lost: Payment, gateway: StripeGateway
) -> None:
    second = open_checkout(customer=make_customer(), pack=make_pack(slug="second"), gateway=gateway)
    stripe_sandbox.control.pay_session(second.session_id)
    path = f"/v1/checkout/sessions/{second.session_id}"
    stripe_sandbox.control.add_fault("error", method="GET", path=path, times=100)

    run = reconcile(gateway, repairs=True)

    assert run.state == RunState.FINDINGS
    assert run.counts["failed_repairs"] >= 1
    assert credited(lost).entries == 1
    assert credited(second.payment).entries == 0
    assert ReconciliationFinding.objects.get(payment=second.payment, kind="paid_not_granted").state == FindingState.OPEN


def test_stripe_that_fails_again_and_again_ends_the_run(stripe_sandbox: SandboxServer, gateway: StripeGateway) -> None:
    pack = make_pack(slug="many")
    payments = [open_checkout(customer=make_customer(), pack=pack, gateway=gateway) for _ in range(6)]
    for started in payments:
        stripe_sandbox.control.pay_session(started.session_id)
        path = f"/v1/checkout/sessions/{started.session_id}"
        stripe_sandbox.control.add_fault("error", method="GET", path=path, times=100)

    with pytest.raises(StripeUnavailable):
        reconcile(gateway, repairs=True)

    assert ReconciliationRun.objects.get().state == RunState.FAILED
    assert ReconciliationFinding.objects.filter(kind="paid_not_granted", state=FindingState.OPEN).count() == 6
    assert not StripeEvent.objects.filter(state="done").exists()


def test_alarm_is_one_mail_with_kinds_and_no_person(
    lost: Payment, customer: BillingCustomer, gateway: StripeGateway, settings: Settings
) -> None:
    settings.FINANCE_EMAILS = ["finance@example.com", "second@example.com"]
    reconcile(gateway)

    sent, second = OutgoingMail.objects.order_by("pk")
    assert [sent.to, second.to] == ["finance@example.com", "second@example.com"]
    assert "6 new findings, 6 of them open" in sent.subject
    assert f"1  {FINDING_KINDS['paid_not_granted'].label}: open" in sent.text
    assert "/admin/billing/reconciliationfinding/?state__exact=open" in sent.text
    assert customer.user is not None
    for personal in (customer.user.email, customer.public_id, lost.public_id):
        assert personal not in sent.text


def test_nothing_new_is_no_mail(lost: Payment, gateway: StripeGateway, settings: Settings) -> None:
    settings.FINANCE_EMAILS = ["finance@example.com"]
    reconcile(gateway)
    OutgoingMail.objects.all().delete()

    reconcile(gateway)

    assert not OutgoingMail.objects.exists()


def test_mail_outlives_a_mail_server_that_is_away(lost: Payment, gateway: StripeGateway, settings: Settings) -> None:
    settings.FINANCE_EMAILS = ["finance@example.com"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    reconcile(gateway)
    send_due_mails()

    assert OutgoingMail.objects.get().state == MailState.PENDING


def test_run_that_cannot_be_ended_tells_nobody(
    lost: Payment, gateway: StripeGateway, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FINANCE_EMAILS = ["finance@example.com"]

    def tell_and_fail(*, run: ReconciliationRun) -> int:
        alarm_of_run(run=run)
        raise RuntimeError("The process ends here.")

    monkeypatch.setattr(runs, "alarm_of_run", tell_and_fail)
    with pytest.raises(RuntimeError):
        reconcile(gateway)

    assert ReconciliationRun.objects.get().state == RunState.FAILED
    assert not OutgoingMail.objects.exists()


def test_findings_of_webhooks_are_told_with_the_next_run(
    stripe_sandbox: SandboxServer, lost: Payment, gateway: StripeGateway, settings: Settings
) -> None:
    settings.FINANCE_EMAILS = ["finance@example.com"]
    reconcile(gateway, since=timezone.now() + timedelta(days=1))
    Payment.objects.update(amount_minor=999)
    deliver_all(stripe_sandbox, gateway)

    reconcile(gateway, since=timezone.now() + timedelta(days=1))

    told = OutgoingMail.objects.get(to="finance@example.com")
    assert "1 new findings" in told.subject
    assert "Paid, but not what was offered" in told.text


def test_schedule_repairs_but_waits_for_webhooks(lost: Payment, gateway: StripeGateway) -> None:
    run = reconcile_on_schedule(span=RECENT, gateway=gateway, inbox=inbox_of(gateway))

    assert run is not None
    assert (run.state, run.trigger, run.repairs) == (RunState.CLEAN, RunTrigger.SCHEDULE, True)
    assert credited(lost).entries == 0


@pytest.mark.django_db(transaction=True)
def test_two_repairs_at_once_post_once(stripe_sandbox: SandboxServer, gateway: StripeGateway) -> None:
    pack = make_pack()
    payments = []
    for _ in range(6):
        started = open_checkout(customer=make_customer(), pack=pack, gateway=gateway)
        stripe_sandbox.control.pay_session(started.session_id)
        payments.append(started.payment)
    states: list[str] = []

    def repair() -> None:
        try:
            states.append(reconcile(gateway, repairs=True).state)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=repair) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(states) == 2
    assert {credited(payment).entries for payment in payments} == {1}
    assert not ReconciliationFinding.objects.filter(state=FindingState.OPEN).exists()
    assert reconcile(gateway).state == RunState.CLEAN
