"""Redis, the worker and the mail server are away for a while: no mail is lost, and none is sent twice."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from celery import current_app
from django.utils import timezone
from pytest_django import Settings

from billing import wake
from billing.kinds import EntryKind
from billing.models import BillingCustomer, MailState, Notice, OutgoingMail
from billing.tests.mail_server import MailServer, running_mail_server
from billing.tests.processes import hanging_server, running_broker, running_command, wait_until
from billing.tests.shop import make_customer
from billing.tests.views.rows import add_entry

pytestmark = pytest.mark.django_db(transaction=True)
SWEEP = ("manage.py", "sweep", "--interval", "0.5")
WORKER = ("-m", "celery", "-A", "config", "worker", "--pool", "solo", "--loglevel", "warning")
NOBODY = "http://127.0.0.1:9"


def make_reader() -> BillingCustomer:
    customer = make_customer()
    assert customer.user is not None
    EmailAddress.objects.create(user=customer.user, email=customer.user.email, verified=True, primary=True)
    return customer


def run_low(customer: BillingCustomer) -> None:
    add_entry(customer, "150")
    add_entry(customer, "-60", kind=EntryKind.USAGE)


def all_sent(count: int) -> Callable[[], bool]:
    return lambda: OutgoingMail.objects.filter(state=MailState.SENT).count() == count


def assert_each_was_sent_once(server: MailServer, customers: list[BillingCustomer]) -> None:
    addresses = sorted(str(mail["To"]) for mail in server.taken)
    assert addresses == sorted(str(customer.user.email) for customer in customers if customer.user)
    assert len({str(mail["Message-ID"]) for mail in server.taken}) == len(customers)


def test_without_redis_worker_and_mail_server_everything_waits_and_comes_once(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    customers = [make_reader() for _ in range(5)]
    with running_broker() as broker, running_mail_server() as server:
        monkeypatch.setattr(current_app.conf, "broker_url", broker.celery_url)
        monkeypatch.setattr(wake._bell, "quiet_until", 0.0)
        monkeypatch.setenv("PREPAID_TEST_SMTP_PORT", str(server.port))
        broker.stop()
        server.stop()

        for customer in customers:
            run_low(customer)
        with running_command(*SWEEP, redis_url=broker.redis_url, stripe_api_base=NOBODY):
            wait_until(lambda: OutgoingMail.objects.filter(tries__gt=0).exists(), seconds=30)
        assert Notice.objects.filter(event="balance.low").count() == 5
        assert not OutgoingMail.objects.filter(state=MailState.SENT).exists()

        OutgoingMail.objects.update(next_try_at=timezone.now())  # the outage was longer than the test's patience
        broker.start()
        server.start()
        with (
            running_command(*WORKER, redis_url=broker.redis_url, stripe_api_base=NOBODY),
            running_command(*SWEEP, redis_url=broker.redis_url, stripe_api_base=NOBODY),
            running_command(*SWEEP, redis_url=broker.redis_url, stripe_api_base=NOBODY),
        ):
            for _ in range(20):  # the worker is woken again and again, while both sweepers look as well
                wake.wake_task(name=wake.EXPAND_NOTICES)
                wake.wake_task(name=wake.SEND_MAILS)
            wait_until(all_sent(5), seconds=30)

        assert_each_was_sent_once(server, customers)


def test_a_worker_killed_while_it_sends_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    customer = make_reader()
    run_low(customer)
    with running_broker() as broker, hanging_server() as (deaf_server, count_taken):
        monkeypatch.setenv("PREPAID_TEST_SMTP_PORT", deaf_server.rpartition(":")[2])
        with running_command(*SWEEP, redis_url=broker.redis_url, stripe_api_base=NOBODY) as sweeper:
            wait_until(lambda: count_taken() > 0, seconds=60)  # it has claimed the mail, and speaks to the server
            os.killpg(sweeper.pid, signal.SIGKILL)
            sweeper.wait()
        claimed = OutgoingMail.objects.get()
        assert (claimed.state, claimed.tries) == ("pending", 1)

        with running_mail_server() as server:
            monkeypatch.setenv("PREPAID_TEST_SMTP_PORT", str(server.port))
            OutgoingMail.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))  # its five minutes are over
            with running_command(*SWEEP, redis_url=broker.redis_url, stripe_api_base=NOBODY):
                wait_until(all_sent(1), seconds=30)

            assert_each_was_sent_once(server, [customer])


def test_an_announcement_wakes_the_worker_that_sends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    customer = make_reader()
    with running_broker() as broker, running_mail_server() as server:
        monkeypatch.setattr(current_app.conf, "broker_url", broker.celery_url)
        monkeypatch.setattr(wake._bell, "quiet_until", 0.0)
        monkeypatch.setenv("PREPAID_TEST_SMTP_PORT", str(server.port))
        run_low(customer)

        with running_command(*WORKER, redis_url=broker.redis_url, stripe_api_base=NOBODY):
            wake.wake_task(name=wake.EXPAND_NOTICES)
            wait_until(all_sent(1), seconds=60)

        assert server.subjects == ["Your balance is low: 90 credits left"]
