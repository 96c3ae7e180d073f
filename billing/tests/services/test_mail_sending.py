"""The outbox of mails against a real mail server: nothing is lost, nothing is sent twice, and the dead are seen."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction

from billing.models import MailState, OutgoingMail
from billing.services import mail_rendering, mail_sending
from billing.services.mail_sending import MAX_TRIES, message_id_of, send_due_mails
from billing.services.mails import queue_mail, send_again
from billing.tests.mail_server import MailServer, running_mail_server
from billing.tests.shop import make_customer
from billing.tests.threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quiet_broker")]
START = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    with running_mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def queue(count: int = 1) -> None:
    with transaction.atomic():
        for number in range(count):
            queue_mail(to=["ada@example.com"], kind="alarm", subject=f"Mail {number}", text="Look.")


def the_mail() -> OutgoingMail:
    return OutgoingMail.objects.get()


def test_a_mail_is_sent_once_with_a_name_of_its_own(server: MailServer) -> None:
    queue()

    assert send_due_mails() == 1
    assert send_due_mails() == 0

    mail = the_mail()
    assert (mail.state, mail.tries, mail.next_try_at) == ("sent", 1, None)
    assert mail.sent_at is not None
    [taken] = server.taken
    assert (taken["Message-ID"], taken["To"]) == (message_id_of(mail), "ada@example.com")
    assert taken["Message-ID"] == f"<{mail.public_id}@localhost>"
    assert taken["Auto-Submitted"] == "auto-generated"


def test_a_server_that_is_away_costs_one_try_of_one_mail_and_loses_nothing(
    server: MailServer, clock: time_machine.Traveller
) -> None:
    queue(3)
    server.stop()

    assert send_due_mails() == 0
    assert sorted(OutgoingMail.objects.values_list("tries", flat=True)) == [0, 0, 1]
    assert "refused" in OutgoingMail.objects.get(tries=1).last_error

    server.start()
    assert send_due_mails() == 2
    clock.move_to(START + timedelta(minutes=1))
    assert send_due_mails() == 1
    assert sorted(server.subjects) == ["Mail 0", "Mail 1", "Mail 2"]


def test_a_mail_that_is_refused_for_now_waits_longer_each_time(
    server: MailServer, clock: time_machine.Traveller
) -> None:
    queue()
    server.answers = ["451 Busy"] * 3
    waits = []
    now = START

    for _ in range(3):
        send_due_mails()
        due_at = the_mail().next_try_at
        assert due_at is not None
        waits.append(due_at - now)
        clock.move_to(now := due_at)

    assert waits == [timedelta(minutes=1), timedelta(minutes=4), timedelta(minutes=16)]
    assert send_due_mails() == 1
    assert the_mail().last_error == ""


def test_one_refused_mail_keeps_no_other_waiting(server: MailServer) -> None:
    queue(3)
    server.answers = ["", "451 Not this one", ""]

    assert send_due_mails() == 2

    assert server.subjects == ["Mail 0", "Mail 2"]


def test_a_mail_that_is_refused_for_ever_is_dead_and_can_be_sent_again(server: MailServer) -> None:
    queue()
    server.answers = ["554 Never"]
    staff = make_customer().user
    assert staff is not None

    assert send_due_mails() == 0
    mail = the_mail()
    assert (mail.state, mail.next_try_at) == ("dead", None)
    assert "Never" in mail.last_error
    assert send_due_mails() == 0

    assert send_again(mail_id=mail.public_id, actor=staff, reason="The mailbox is there again", address="")
    assert send_due_mails() == 1
    assert the_mail().state == "sent"


def test_a_server_that_refuses_us_costs_one_try_of_one_mail_and_kills_none(
    server: MailServer, clock: time_machine.Traveller
) -> None:
    queue(3)
    server.refuses_sender = "530 5.7.0 Authentication required"

    assert send_due_mails() == 0
    assert sorted(OutgoingMail.objects.values_list("state", "tries")) == [
        ("pending", 0),
        ("pending", 0),
        ("pending", 1),
    ]
    assert "Authentication" in OutgoingMail.objects.get(tries=1).last_error

    server.refuses_sender = ""
    clock.move_to(START + timedelta(minutes=1))
    assert send_due_mails() == 3


def test_after_a_day_of_failures_a_mail_is_dead(server: MailServer, clock: time_machine.Traveller) -> None:
    queue()
    server.answers = ["451 Busy"] * MAX_TRIES
    now = START

    while (mail := the_mail()).state == MailState.PENDING:
        assert mail.next_try_at is not None
        clock.move_to(now := max(now, mail.next_try_at))
        send_due_mails()

    assert (mail.state, mail.tries) == ("dead", MAX_TRIES)
    assert timedelta(hours=12) < now - START < timedelta(hours=30)
    assert server.taken == []


def test_a_try_that_ended_with_its_process_is_made_up_for(server: MailServer, clock: time_machine.Traveller) -> None:
    queue()
    claimed = mail_sending._claim()
    assert claimed is not None

    assert send_due_mails() == 0  # somebody has it

    clock.move_to(START + timedelta(minutes=5))
    assert send_due_mails() == 1
    assert len(server.taken) == 1


def test_a_mail_whose_last_try_ended_with_its_process_is_dead(
    server: MailServer, clock: time_machine.Traveller
) -> None:
    queue()
    OutgoingMail.objects.update(tries=MAX_TRIES)

    assert send_due_mails() == 0

    assert the_mail().state == "dead"
    assert server.taken == []


def test_senders_at_once_send_each_mail_once(server: MailServer) -> None:
    queue(40)

    counts = at_once(*[send_due_mails] * 4)

    assert sum(counts) == 40
    assert sorted(server.subjects) == sorted(f"Mail {number}" for number in range(40))


def test_no_database_transaction_is_open_while_the_server_is_spoken_to(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue()
    seen = []
    connect = socket.create_connection

    def watch(*arguments: Any, **options: Any) -> socket.socket:
        seen.append(transaction.get_connection().in_atomic_block)
        return connect(*arguments, **options)

    monkeypatch.setattr("smtplib.socket.create_connection", watch)

    send_due_mails()

    assert seen == [False]


def test_a_fault_of_ours_stops_one_mail_only(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    queue(2)
    render = mail_rendering.render_mail

    def break_first(mail: OutgoingMail) -> Any:
        if mail.subject == "Mail 0":
            raise KeyError("amount")
        return render(mail)

    monkeypatch.setattr(mail_sending, "render_mail", break_first)

    assert send_due_mails() == 1

    assert server.subjects == ["Mail 1"]
    assert "KeyError" in OutgoingMail.objects.get(subject="Mail 0").last_error
