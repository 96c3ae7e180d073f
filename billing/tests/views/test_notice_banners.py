"""Pages say what the mails say: until it is over, or closed by whom it concerns."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.kinds import EntryKind
from billing.models import AutoTopUp, BillingCustomer, CreditGrant, Notice, TopUpConsent
from billing.notice_kinds import NoticeEvent
from billing.services.mail_texts.shapes import show_day
from billing.services.notices import announce
from billing.tests.services.payloads import PAYLOADS
from billing.tests.shop import make_customer, make_pack
from billing.tests.views.rows import add_entry

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
PAGE = "/billing/payments/"
LATER = (timezone.now() + timedelta(days=5)).isoformat()
ANY = {"expires_at": LATER, "trial_end": LATER}


def say(customer: BillingCustomer, event: NoticeEvent, *, ago: float = 1, key: str = "1", **changes: Any) -> Notice:
    """A notice of so many days ago."""
    happened = timezone.now() - timedelta(days=ago)
    payload = {**PAYLOADS[event], **{name: value for name, value in ANY.items() if name in PAYLOADS[event]}, **changes}
    with transaction.atomic():
        announce(event=event, customer_id=customer.pk, key=key, payload=payload, occurred_at=happened)
    return Notice.objects.get(customer=customer, event=event, key=key)


def say_expiring(customer: BillingCustomer, *, amount: str = "500", days: int = 7, ago: float = 1) -> CreditGrant:
    """A grant that lapses in five days, and the notice of it."""
    lapses = timezone.now() + timedelta(days=5)
    grant = CreditGrant.objects.filter(customer=customer).first()
    if grant is None:
        grant = CreditGrant.objects.get(entry=add_entry(customer, amount, expires_at=lapses))
    say(customer, NoticeEvent.CREDITS_EXPIRING, key=f"{grant.pk}:{days}", ago=ago, days=days, amount=f"{amount}.000000")
    return grant


def make_top_up(customer: BillingCustomer, *, days_ago: int, **state: str) -> None:
    """An automatic top-up that was changed so many days ago."""
    consent = TopUpConsent.objects.create(
        customer=customer,
        given_at=timezone.now(),
        wording="I agree.",
        language="en",
        pack=make_pack(),
        description="10,000 credits",
        credits=10_000,
        amount_minor=1000,
        currency="usd",
        threshold=100,
        ceiling_minor=5000,
        stripe_customer_id="cus_1",
        payment_method_id="pm_1",
        card="Visa 4242",
    )
    AutoTopUp.objects.create(customer=customer, consent=consent, payment_method_id="pm_1", **state)
    AutoTopUp.objects.update(changed_at=timezone.now() - timedelta(days=days_ago))


def banners(browser: Client, path: str = PAGE) -> int:
    return browser.get(path).content.decode().count("data-notice")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (NoticeEvent.PAYMENT_FAILED, "Your payment of $19.00 failed"),
        (NoticeEvent.PAYMENT_DISPUTED, "A payment of $19.00 is disputed"),
        (NoticeEvent.SUBSCRIPTION_TRIAL_ENDING, "Your trial of Pro ends on"),
        (NoticeEvent.SUBSCRIPTION_PAYMENT_FAILED, "We could not collect $19.00"),
    ],
)
def test_what_needs_attention_is_on_every_page(
    browser: Client, customer: BillingCustomer, event: NoticeEvent, words: str
) -> None:
    say(customer, event)

    for path in ("/billing/", "/billing/buy/", PAGE, "/billing/settings/"):
        page = browser.get(path).content.decode()
        assert words in page
        assert page.count("data-notice") == 1


@pytest.mark.parametrize("event", [NoticeEvent.PAYMENT_RECEIPT, NoticeEvent.KEY_CREATED, NoticeEvent.BALANCE_LOW])
def test_what_asks_nothing_is_not(browser: Client, customer: BillingCustomer, event: NoticeEvent) -> None:
    say(customer, event)

    assert banners(browser) == 0


@pytest.mark.parametrize(
    ("first", "then", "changes"),
    [
        (NoticeEvent.PAYMENT_FAILED, NoticeEvent.PAYMENT_RECEIPT, {}),
        (NoticeEvent.PAYMENT_DISPUTED, NoticeEvent.PAYMENT_DISPUTED, {"status": "won"}),
        (NoticeEvent.SUBSCRIPTION_PAYMENT_FAILED, NoticeEvent.SUBSCRIPTION_UPDATED, {"change": "recovered"}),
        (NoticeEvent.SUBSCRIPTION_TRIAL_ENDING, NoticeEvent.SUBSCRIPTION_CANCELED, {}),
    ],
)
def test_a_later_word_ends_it(
    browser: Client, customer: BillingCustomer, first: NoticeEvent, then: NoticeEvent, changes: dict[str, str]
) -> None:
    say(customer, first, ago=3)
    assert banners(browser) == 1

    say(customer, then, ago=2, key="2", **changes)

    assert banners(browser) == 0


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (NoticeEvent.SUBSCRIPTION_PAYMENT_FAILED, "past_due"),
        (NoticeEvent.SUBSCRIPTION_PAYMENT_FAILED, "unpaid"),
        (NoticeEvent.SUBSCRIPTION_TRIAL_ENDING, "trialing"),
    ],
)
def test_a_later_word_that_changes_nothing_about_it_does_not_end_it(
    browser: Client, customer: BillingCustomer, first: NoticeEvent, status: str
) -> None:
    say(customer, first, ago=3)

    say(customer, NoticeEvent.SUBSCRIPTION_UPDATED, ago=2, key="2", status=status, cancel_at=None)

    assert banners(browser) == 1


def test_a_trial_that_was_cancelled_is_not_said_to_end_in_a_charge(browser: Client, customer: BillingCustomer) -> None:
    say(customer, NoticeEvent.SUBSCRIPTION_TRIAL_ENDING, ago=3)

    say(customer, NoticeEvent.SUBSCRIPTION_UPDATED, ago=2, key="2", status="trialing", cancel_at=LATER)

    assert banners(browser) == 0


def test_the_end_of_a_trial_says_what_will_be_charged(browser: Client, customer: BillingCustomer) -> None:
    say(customer, NoticeEvent.SUBSCRIPTION_TRIAL_ENDING)

    assert "your card is charged $19.00" in browser.get(PAGE).content.decode()


def test_a_trial_or_an_expiry_that_is_over_is_not_shown(browser: Client, customer: BillingCustomer) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
    say(customer, NoticeEvent.CREDITS_EXPIRING, expires_at=past)
    say(customer, NoticeEvent.SUBSCRIPTION_TRIAL_ENDING, trial_end=past)

    assert banners(browser) == 0


def test_of_two_steps_of_one_expiry_one_is_shown(browser: Client, customer: BillingCustomer) -> None:
    say_expiring(customer, ago=7, days=30)
    say_expiring(customer, ago=1, days=7)

    page = browser.get(PAGE).content.decode()

    assert page.count("data-notice") == 1
    assert "500 credits expire on" in page


def test_what_was_used_since_is_not_said_to_expire(browser: Client, customer: BillingCustomer) -> None:
    say_expiring(customer)
    add_entry(customer, "-120", kind=EntryKind.USAGE)
    assert "380 credits expire on" in browser.get(PAGE).content.decode()

    add_entry(customer, "-380", kind=EntryKind.USAGE)

    assert banners(browser) == 0


def test_credits_that_live_longer_after_all_are_said_to(browser: Client, customer: BillingCustomer) -> None:
    grant = say_expiring(customer)
    later = timezone.now() + timedelta(days=20)
    CreditGrant.objects.filter(pk=grant.pk).update(expires_at=later)

    assert f"500 credits expire on {show_day(later)}" in browser.get(PAGE).content.decode()


def test_the_serious_ones_come_first(browser: Client, customer: BillingCustomer) -> None:
    say(customer, NoticeEvent.PAYMENT_DISPUTED, ago=9)
    say(customer, NoticeEvent.PAYMENT_FAILED, ago=1)

    page = browser.get(PAGE).content.decode()

    assert page.index("is disputed") < page.index("of $19.00 failed")


@pytest.mark.parametrize(
    ("state", "days_ago", "shown"),
    [
        ({"state": "on", "cause": ""}, 3, 1),
        ({"state": "on", "cause": ""}, 1, 0),
        ({"state": "off", "cause": "customer"}, 1, 0),
        ({"state": "paused", "cause": "refund"}, 1, 1),
    ],
)
def test_a_top_up_that_the_customer_has_seen_to_is_not_warned_of(
    browser: Client, customer: BillingCustomer, state: dict[str, str], days_ago: int, shown: int
) -> None:
    make_top_up(customer, days_ago=days_ago, **state)
    say(customer, NoticeEvent.TOP_UP_FAILED, ago=2)

    assert banners(browser) == shown


@pytest.mark.parametrize(("kind", "paid_ago", "shown"), [("auto_top_up", 1, 0), ("auto_top_up", 3, 1), ("pack", 1, 1)])
def test_a_declined_top_up_is_over_once_one_was_paid(
    browser: Client, customer: BillingCustomer, kind: str, paid_ago: float, shown: int
) -> None:
    make_top_up(customer, days_ago=9, state="on", cause="")
    say(customer, NoticeEvent.TOP_UP_FAILED, ago=2)

    say(customer, NoticeEvent.PAYMENT_RECEIPT, ago=paid_ago, key="2", kind=kind)

    assert banners(browser) == shown


def test_a_top_up_that_is_paused_stays_so_whatever_was_under_way(browser: Client, customer: BillingCustomer) -> None:
    make_top_up(customer, days_ago=2, state="paused", cause="refund")
    say(customer, NoticeEvent.TOP_UP_PAUSED, ago=2)

    say(customer, NoticeEvent.PAYMENT_RECEIPT, ago=1, key="2", kind="auto_top_up")

    assert banners(browser) == 1


def test_many_payments_hide_nothing_that_still_stands(browser: Client, customer: BillingCustomer) -> None:
    say(customer, NoticeEvent.PAYMENT_DISPUTED, ago=9)
    for number in range(60):
        say(customer, NoticeEvent.PAYMENT_RECEIPT, key=str(number), ago=1, kind="auto_top_up")

    assert "is disputed" in browser.get(PAGE).content.decode()


def test_old_notices_and_those_of_others_are_not_shown(browser: Client, customer: BillingCustomer) -> None:
    say(customer, NoticeEvent.PAYMENT_FAILED, ago=31)
    say(make_customer(), NoticeEvent.PAYMENT_FAILED)

    assert banners(browser) == 0


def test_closing_one_closes_it_for_good_and_goes_back(browser: Client, customer: BillingCustomer) -> None:
    notice = say(customer, NoticeEvent.PAYMENT_FAILED)

    answer = browser.post(f"/billing/notices/{notice.public_id}/dismiss/", {"back": PAGE})

    assert answer["Location"] == PAGE
    assert banners(browser) == 0


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", ""])
def test_closing_leads_nowhere_else(browser: Client, customer: BillingCustomer, back: str) -> None:
    notice = say(customer, NoticeEvent.PAYMENT_FAILED)

    answer = browser.post(f"/billing/notices/{notice.public_id}/dismiss/", {"back": back})

    assert answer["Location"] == "/billing/"


def test_a_dispute_cannot_be_closed(browser: Client, customer: BillingCustomer) -> None:
    notice = say(customer, NoticeEvent.PAYMENT_DISPUTED)
    assert "Close: " not in browser.get(PAGE).content.decode()

    browser.post(f"/billing/notices/{notice.public_id}/dismiss/")

    assert banners(browser) == 1


def test_nobody_closes_what_others_are_told(browser: Client, customer: BillingCustomer) -> None:
    notice = say(make_customer(), NoticeEvent.PAYMENT_FAILED)

    browser.post(f"/billing/notices/{notice.public_id}/dismiss/")

    notice.refresh_from_db()
    assert notice.dismissed_at is None


def test_banners_cost_one_query(browser: Client, customer: BillingCustomer) -> None:
    with CaptureQueriesContext(connection) as captured:
        browser.get(PAGE)

    assert sum("billing_notice" in query["sql"] for query in captured.captured_queries) == 1


def test_strangers_see_none(client: Client) -> None:
    assert banners(client, "/accounts/login/") == 0
