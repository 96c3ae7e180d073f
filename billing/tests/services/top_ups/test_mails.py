"""The customer gets a mail of what happens to their automatic top-up without their doing."""

import pytest
from allauth.account.models import EmailAddress
from django.core import mail

from billing.services.mail_sending import send_due_mails
from billing.services.notice_expansion import expand_due_notices
from billing.tests.services.top_ups.conftest import Clock
from billing.tests.top_ups import ASKS, DECLINED, Shopper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def address(shopper: Shopper) -> str:
    """The shopper's verified address; what was to be told before is sent."""
    user = shopper.customer.user
    assert user is not None
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    sent()
    return user.email


def sent() -> list[tuple[str, str]]:
    """Subjects and texts of the mails about top-ups that go out now."""
    mail.outbox.clear()
    expand_due_notices()
    send_due_mails()
    return [(str(each.subject), str(each.body)) for each in mail.outbox if "top-up" in str(each.subject).lower()]


def test_each_decline_and_the_end_is_mailed(shopper: Shopper, clock: Clock) -> None:
    shopper.change_card(DECLINED)
    shopper.spend_down_to(0)
    subjects = []
    for _ in range(3):
        shopper.run()
        subjects += [subject for subject, _ in sent()]
        clock.move(hours=7)

    assert [subject.split("] ")[-1] for subject in subjects] == [
        "Automatic top-up of $10.00 failed",
        "Automatic top-up of $10.00 failed",
        "Automatic top-up is off",
    ]
    assert sent() == []


def test_a_bank_that_wants_the_customer_is_mailed_with_the_link_to_pay(shopper: Shopper) -> None:
    shopper.change_card(ASKS)
    shopper.spend_down_to(0)

    shopper.run()

    [(_, text)] = sent()
    address = f"/billing/buy/{shopper.pack.slug}/?save_card=1"
    assert text.count(address) == 1
    assert not [word for word in text.split() if word.count("://") > 1]


def test_a_refund_is_mailed_as_a_pause(shopper: Shopper) -> None:
    shopper.sandbox.control.refund_payment(str(shopper.bought.payment_intent_id), amount=100)
    shopper.deliver()

    assert [subject.split("] ")[-1] for subject, _ in sent()] == ["Automatic top-up is paused"]
