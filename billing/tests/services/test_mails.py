"""Which notices become mails, to whom, and what the mails say."""

from datetime import UTC, datetime
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import transaction

from accounts.api_keys import issue_key
from accounts.models import User
from billing.models import BillingCustomer, Notice, OutgoingMail
from billing.notice_kinds import MAIL_RULES, SWITCHABLE_EVENTS, NoticeEvent
from billing.services.customers import create_external_customer
from billing.services.mail_rendering import RenderedMail, read_unsubscribe_token, render_mail
from billing.services.mail_texts.registry import WRITERS
from billing.services.mails import queue_mail, send_again
from billing.services.notice_expansion import expand_due_notices
from billing.services.notices import announce
from billing.services.preferences import set_switched_off, switch_off
from billing.tests.services.payloads import PAYLOADS
from billing.tests.views.rows import make_payment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
HAPPENED = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def reader(customer: BillingCustomer) -> BillingCustomer:
    """A customer whose address is verified."""
    assert customer.user is not None
    EmailAddress.objects.create(user=customer.user, email=customer.user.email, verified=True, primary=True)
    return customer


def say(customer: BillingCustomer, event: NoticeEvent, **changes: Any) -> Notice:
    payload = {**PAYLOADS[event], **changes}
    with transaction.atomic():
        announce(event=event, customer_id=customer.pk, key="1", payload=payload, occurred_at=HAPPENED)
    return Notice.objects.get(customer=customer, event=event, key="1")


def mailed(customer: BillingCustomer) -> list[str]:
    expand_due_notices()
    return list(OutgoingMail.objects.filter(customer=customer).order_by("pk").values_list("kind", flat=True))


def render(notice: Notice) -> RenderedMail:
    return render_mail(OutgoingMail(notice=notice, to="ada@example.com", kind=notice.event))


def test_every_event_that_is_mailed_has_words_and_an_example() -> None:
    assert WRITERS.keys() == MAIL_RULES.keys() == PAYLOADS.keys()


@pytest.mark.parametrize("event", PAYLOADS)
def test_a_mail_says_the_same_as_text_and_html(reader: BillingCustomer, event: NoticeEvent) -> None:
    notice = say(reader, event)

    mail = render(notice)

    words = WRITERS[event]
    assert words.__name__.startswith("write_")
    assert mail.subject
    assert "\n" not in mail.subject
    for name, value in (("http://", "link"), ("2026", "date")):
        assert name in mail.text, value
        assert name in mail.html, value
    for line in mail.text.split("\n--\n")[0].splitlines():
        if ": " in line and not line.startswith("http"):
            assert line.partition(": ")[2].replace("&", "&amp;") in mail.html
    assert mail.text.count("{") == 0
    assert "None" not in mail.text


@pytest.mark.parametrize("event", [event for event, payload in PAYLOADS.items() if "amount_minor" in payload])
def test_mails_about_money_say_how_much(reader: BillingCustomer, event: NoticeEvent) -> None:
    mail = render(say(reader, event))

    assert "$19.00" in mail.text
    assert "$19.00" in mail.html


@pytest.mark.parametrize(
    "event",
    [NoticeEvent.BALANCE_LOW, NoticeEvent.BALANCE_DEPLETED, NoticeEvent.BALANCE_DEBT, NoticeEvent.PAYMENT_FAILED],
)
def test_mails_lead_nobody_to_a_shop_that_is_closed(reader: BillingCustomer, settings: Any, event: NoticeEvent) -> None:
    notice = say(reader, event)
    open_shop = render(notice)
    settings.STRIPE_BILLING_ENABLED = False

    closed_shop = render(notice)

    assert "/billing/buy/" in open_shop.text
    for text in (closed_shop.text, closed_shop.html):
        assert "/billing/buy/" not in text
        assert "Buy credits" not in text
        assert "try again" not in text.lower()
        assert "/billing/" in text.partition("/billing/settings/")[0]


@pytest.mark.parametrize(
    ("event", "moment"),
    [
        (NoticeEvent.TOP_UP_FAILED, "28 Nov 2026, 14:00 UTC"),
        (NoticeEvent.SUBSCRIPTION_PAYMENT_FAILED, "1 Dec 2026, 12:00 UTC"),
    ],
)
def test_mails_about_failed_payments_say_when_the_next_try_is(
    reader: BillingCustomer, event: NoticeEvent, moment: str
) -> None:
    assert f"Next try: {moment}" in render(say(reader, event)).text


def test_a_notice_becomes_one_mail_to_the_primary_address(reader: BillingCustomer) -> None:
    assert reader.user is not None
    EmailAddress.objects.create(user=reader.user, email="second@example.com", verified=True)
    say(reader, NoticeEvent.PAYMENT_RECEIPT)
    say(reader, NoticeEvent.PAYMENT_RECEIPT)

    assert mailed(reader) == ["payment.receipt"]
    assert mailed(reader) == ["payment.receipt"]

    assert OutgoingMail.objects.get().to == reader.user.email


def test_nobody_without_a_verified_address_is_written_to(customer: BillingCustomer) -> None:
    assert customer.user is not None
    EmailAddress.objects.create(user=customer.user, email=customer.user.email, verified=False, primary=True)
    say(customer, NoticeEvent.PAYMENT_RECEIPT)

    assert mailed(customer) == []


def test_customers_of_the_product_are_told_by_the_product() -> None:
    customer, _ = create_external_customer(external_id="u-1", email="ada@example.com")
    say(customer, NoticeEvent.PAYMENT_RECEIPT)

    assert mailed(customer) == []


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (NoticeEvent.BALANCE_LOW, {"posted": "0.000000"}),
        (NoticeEvent.BALANCE_DEPLETED, {"posted": "-1.000000"}),
        (NoticeEvent.SUBSCRIPTION_UPDATED, {"change": "renewed"}),
    ],
)
def test_what_another_mail_tells_is_not_mailed_twice(
    reader: BillingCustomer, event: NoticeEvent, changes: dict[str, str]
) -> None:
    say(reader, event, **changes)

    assert mailed(reader) == []


@pytest.mark.parametrize(
    ("posted", "off", "kinds"),
    [
        ("0.000000", {NoticeEvent.BALANCE_DEPLETED}, ["balance.low"]),
        ("0.000000", {NoticeEvent.BALANCE_DEPLETED, NoticeEvent.BALANCE_LOW}, []),
        ("0.000000", {NoticeEvent.BALANCE_LOW}, ["balance.depleted"]),
        ("-5.000000", {NoticeEvent.BALANCE_DEPLETED}, ["balance.debt"]),
    ],
)
def test_a_fall_whose_deepest_line_is_not_wanted_is_told_by_the_one_above(
    reader: BillingCustomer, posted: str, off: set[NoticeEvent], kinds: list[str]
) -> None:
    set_switched_off(customer_id=reader.pk, events=off)
    say(reader, NoticeEvent.BALANCE_LOW, posted=posted)
    say(reader, NoticeEvent.BALANCE_DEPLETED, posted=posted)
    if posted.startswith("-"):
        say(reader, NoticeEvent.BALANCE_DEBT, posted=posted)

    assert mailed(reader) == kinds


@pytest.mark.parametrize("event", [NoticeEvent.HOLD_EXPIRED, NoticeEvent.BALANCE_RECOVERED])
def test_some_events_are_for_webhooks_alone(reader: BillingCustomer, event: NoticeEvent) -> None:
    with transaction.atomic():
        announce(event=event, customer_id=reader.pk, key="1", payload={})

    assert mailed(reader) == []


def test_what_is_switched_off_is_not_mailed_and_the_rest_is(reader: BillingCustomer) -> None:
    set_switched_off(customer_id=reader.pk, events=[NoticeEvent.BALANCE_LOW])
    switch_off(customer_id=reader.pk, event=NoticeEvent.CREDITS_EXPIRING)
    for event in (NoticeEvent.BALANCE_LOW, NoticeEvent.CREDITS_EXPIRING, NoticeEvent.BALANCE_DEPLETED):
        say(reader, event)

    assert mailed(reader) == ["balance.depleted"]


@pytest.mark.parametrize("event", sorted(MAIL_RULES.keys() - SWITCHABLE_EVENTS))
def test_money_and_security_cannot_be_switched_off(reader: BillingCustomer, event: NoticeEvent) -> None:
    with pytest.raises(RuntimeError, match="cannot be switched off"):
        switch_off(customer_id=reader.pk, event=event)
    say(reader, event)

    assert mailed(reader) == [event.value]
    assert "List-Unsubscribe" not in render(Notice.objects.get(event=event)).headers


@pytest.mark.parametrize("event", sorted(SWITCHABLE_EVENTS))
def test_what_can_be_switched_off_has_a_link_for_one_click(reader: BillingCustomer, event: NoticeEvent) -> None:
    mail = render(say(reader, event))

    url = mail.headers["List-Unsubscribe"].strip("<>")
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert url in mail.text
    assert url in mail.html
    assert read_unsubscribe_token(url.rstrip("/").rpartition("/")[2]) == (reader.public_id, event)


@pytest.mark.parametrize("token", ["", "x", "WzEsImJhbGFuY2UubG93Il0:x"])
def test_a_link_that_is_not_ours_is_about_nobody(token: str) -> None:
    assert read_unsubscribe_token(token) is None


def test_names_that_people_choose_break_neither_header_nor_page(reader: BillingCustomer) -> None:
    mail = render(say(reader, NoticeEvent.KEY_CREATED, name="<b>x</b>\r\nBcc: all@example.com"))

    assert mail.subject == "A new API key: <b>x</b> Bcc: all@example.com"
    assert "<b>x</b>" not in mail.html


def test_the_receipt_links_to_the_providers_once_it_is_known(reader: BillingCustomer) -> None:
    payment = make_payment(reader)
    notice = say(reader, NoticeEvent.PAYMENT_RECEIPT, payment=payment.public_id)
    assert "pay.stripe.com" not in render(notice).text

    payment.receipt_url = "https://pay.stripe.com/receipts/1"
    payment.save()

    assert "https://pay.stripe.com/receipts/1" in render(notice).text


def test_the_owner_of_a_new_key_is_told(reader: BillingCustomer) -> None:
    assert reader.user is not None
    new = issue_key(user=reader.user, name="Server", scopes=["read"])

    assert mailed(reader) == ["key.created"]
    mail = render(Notice.objects.get(event="key.created"))
    assert new.key.key_id in mail.text
    assert new.text.rpartition("_")[2] not in mail.text
    assert "An API key was made." in mail.text


def test_a_key_that_staff_make_says_so(reader: BillingCustomer) -> None:
    assert reader.user is not None
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    issue_key(user=reader.user, name="Server", scopes=["read"], created_by=staff)

    assert "Our staff made an API key" in render(Notice.objects.get(event="key.created")).text


def test_plain_mails_have_their_own_words(reader: BillingCustomer) -> None:
    with transaction.atomic():
        queue_mail(to=["a@example.com", "b@example.com"], kind="alarm", subject="Look", text="It is late.")

    first, second = OutgoingMail.objects.order_by("to")
    assert (first.to, second.to) == ("a@example.com", "b@example.com")
    assert render_mail(first) == RenderedMail(subject="Look", text="It is late.")


@pytest.mark.django_db(transaction=True)
def test_a_mail_outside_a_database_transaction_is_refused() -> None:
    with pytest.raises(RuntimeError, match="database transaction"):
        queue_mail(to=["a@example.com"], kind="alarm", subject="Look", text="It is late.")


@pytest.mark.parametrize("state", ["pending", "sent"])
def test_only_dead_mails_are_sent_again(reader: BillingCustomer, state: str) -> None:
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    mail = OutgoingMail.objects.create(
        to="a@example.com", kind="alarm", subject="Look", text="…", state=state, next_try_at=HAPPENED, sent_at=HAPPENED
    )

    assert not send_again(mail_id=mail.public_id, actor=staff, reason="Asked for", address="")


def test_adjustments_name_amount_and_balance(reader: BillingCustomer) -> None:
    mail = render(say(reader, NoticeEvent.ADJUSTMENT_MADE, amount="-25.000000"))

    assert mail.subject == "25 credits were taken"
    assert "−25" in mail.text
    assert "475" in mail.text
