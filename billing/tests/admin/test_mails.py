"""Staff see mails that could not be sent, and send them again with a reason; nobody else does."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing.models import AuditEntry, BillingCustomer, OutgoingMail
from billing.tests.services.money_back import make_staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


@pytest.fixture
def mail(customer: BillingCustomer) -> OutgoingMail:
    return OutgoingMail.objects.create(
        customer=customer,
        to="ada@example.com",
        kind="alarm",
        subject="Look",
        text="It is late.",
        state="dead",
        tries=10,
        last_error="SMTPDataError: 554 Never",
    )


def page_of(mail: OutgoingMail) -> str:
    return f"/admin/billing/outgoingmail/{mail.pk}/send-again/"


def client_of(staff: User) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def test_a_dead_mail_is_sent_again_with_a_reason(mail: OutgoingMail) -> None:
    staff = make_staff("view_outgoingmail", "resend_mail")
    client = client_of(staff)
    assert "554 Never" in client.get(page_of(mail)).content.decode()
    assert client.post(page_of(mail), {"reason": ""}).status_code == 200
    assert OutgoingMail.objects.get().state == "dead"

    client.post(page_of(mail), {"reason": "The mailbox is there again", "confirm": "1"})

    again = OutgoingMail.objects.get()
    assert (again.state, again.tries) == ("pending", 0)
    assert again.next_try_at is not None
    entry = AuditEntry.objects.get(action="mail.send_again")
    assert (entry.actor, entry.reason, entry.customer) == (staff, "The mailbox is there again", mail.customer)


def test_it_is_sent_again_once(mail: OutgoingMail) -> None:
    client = client_of(make_staff("view_outgoingmail", "resend_mail"))
    for _ in range(2):
        client.post(page_of(mail), {"reason": "Again", "confirm": "1"})

    assert AuditEntry.objects.filter(action="mail.send_again").count() == 1


def test_a_mail_that_was_sent_is_not_sent_again(mail: OutgoingMail) -> None:
    OutgoingMail.objects.update(state="sent", sent_at=timezone.now())
    client = client_of(make_staff("view_outgoingmail", "resend_mail"))

    client.post(page_of(mail), {"reason": "Again", "confirm": "1"})

    assert OutgoingMail.objects.get().state == "sent"


def test_who_may_only_look_sends_nothing(mail: OutgoingMail) -> None:
    client = client_of(make_staff("view_outgoingmail"))

    assert client.post(page_of(mail), {"reason": "Again", "confirm": "1"}).status_code == 403
    assert OutgoingMail.objects.get().state == "dead"
