"""A fact is announced once, with the fact or not at all, and expanded once, whatever happens in between."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection, transaction
from django.db.utils import DatabaseError
from pytest_django import DjangoCaptureOnCommitCallbacks

from billing import wake
from billing.models import BillingCustomer, Notice, WebhookDelivery
from billing.notice_kinds import MAIL_RULES, NoticeEvent, NoticeTopic
from billing.services import notice_expansion
from billing.services.notice_expansion import expand_due_notices
from billing.services.notices import announce
from billing.tests.shop import make_customer
from billing.tests.threads import at_once

pytestmark = pytest.mark.django_db


def say(customer: BillingCustomer, *, key: str = "hold_1", event: NoticeEvent = NoticeEvent.HOLD_EXPIRED) -> None:
    with transaction.atomic():
        announce(event=event, customer_id=customer.pk, key=key, payload={"hold": key, "amount": "1.000000"})


@pytest.fixture
def expanded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of notices in the order in which the one expander saw them; the key `bad` breaks it."""
    seen: list[str] = []

    def expand(notice: Notice) -> None:
        if notice.key == "bad":
            raise ValueError("nobody can expand this")
        seen.append(notice.key)

    monkeypatch.setattr(notice_expansion, "EXPANDERS", (expand,))
    return seen


def test_announcing_writes_one_row_and_wakes_a_worker(
    customer: BillingCustomer,
    quiet_broker: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    happened = datetime(2026, 11, 1, tzinfo=UTC)

    with django_capture_on_commit_callbacks(execute=True):
        announce(
            event=NoticeEvent.HOLD_EXPIRED,
            customer_id=customer.pk,
            key="hold_1",
            payload={"hold": "hold_1"},
            occurred_at=happened,
        )

    notice = customer.notices.get(event="hold.expired")
    assert notice.public_id.startswith("evt_")
    assert (notice.payload, notice.occurred_at) == ({"hold": "hold_1"}, happened)
    assert notice.created_at > happened
    assert notice.expanded_at is None
    assert quiet_broker == [wake.EXPAND_NOTICES]


def test_the_same_key_of_an_event_is_announced_once(customer: BillingCustomer) -> None:
    say(customer)
    say(customer)
    say(customer, event=NoticeEvent.PAYMENT_FAILED)
    say(make_customer())

    assert Notice.objects.filter(key="hold_1").count() == 3


@pytest.mark.django_db(transaction=True)
def test_announcing_without_a_database_transaction_is_refused() -> None:
    customer = make_customer()

    with pytest.raises(RuntimeError, match="database transaction"):
        announce(event=NoticeEvent.HOLD_EXPIRED, customer_id=customer.pk, key="hold_1", payload={})

    assert not Notice.objects.filter(key="hold_1").exists()


@pytest.mark.django_db(transaction=True)
def test_a_fact_that_is_rolled_back_is_not_announced(quiet_broker: list[str]) -> None:
    customer = make_customer()

    with transaction.atomic():
        announce(event=NoticeEvent.HOLD_EXPIRED, customer_id=customer.pk, key="hold_1", payload={})
        transaction.set_rollback(True)

    assert not Notice.objects.filter(key="hold_1").exists()
    assert quiet_broker == []


def test_expanding_marks_each_notice_once_oldest_first(customer: BillingCustomer, expanded: list[str]) -> None:
    for key in ("one", "two", "three"):
        say(customer, key=key)

    assert expand_due_notices(limit=2) == 2
    assert expand_due_notices() == 1
    assert expand_due_notices() == 0

    assert expanded == ["one", "two", "three"]
    assert not Notice.objects.filter(expanded_at__isnull=True).exists()


def test_a_notice_that_cannot_be_expanded_keeps_no_other_waiting(
    customer: BillingCustomer, expanded: list[str]
) -> None:
    for key in ("one", "bad", "three"):
        say(customer, key=key)

    with pytest.raises(RuntimeError, match=r"1 notices could not be expanded: evt_"):
        expand_due_notices()

    assert expanded == ["one", "three"]
    assert list(Notice.objects.filter(expanded_at__isnull=True).values_list("key", flat=True)) == ["bad"]


def test_many_that_cannot_be_expanded_do_not_use_up_a_round(customer: BillingCustomer, expanded: list[str]) -> None:
    with transaction.atomic():
        for event in (NoticeEvent.HOLD_EXPIRED, NoticeEvent.PAYMENT_FAILED, NoticeEvent.TOP_UP_PAUSED):
            announce(event=event, customer_id=customer.pk, key="bad", payload={})
    say(customer, key="good")

    with pytest.raises(RuntimeError, match="3 notices could not"):
        expand_due_notices(limit=1)

    assert expanded == ["good"]


def test_one_that_cannot_be_expanded_rests_as_long_as_it_is_old(customer: BillingCustomer, expanded: list[str]) -> None:
    say(customer, key="bad")
    announced = Notice.objects.get(key="bad").created_at

    rests = []
    for minutes in (10, 19, 21, 300):
        with time_machine.travel(announced + timedelta(minutes=minutes), tick=False):
            try:
                assert expand_due_notices() == 0
            except RuntimeError:
                rests.append(Notice.objects.get(key="bad").next_try_at)

    assert rests == [announced + timedelta(minutes=minutes) for minutes in (20, 42, 360)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quiet_broker")
def test_a_row_that_is_gone_at_the_commit_does_not_end_the_round(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(notice: Notice) -> None:
        if notice.key == "bad":
            WebhookDelivery.objects.create(endpoint_id=4711, message_id="evt_1", event=notice.event, body="{}")

    customer = make_customer()
    for key in ("one", "bad", "three"):
        say(customer, key=key)
    monkeypatch.setattr(notice_expansion, "EXPANDERS", (write,))

    with pytest.raises(RuntimeError, match="1 notices could not"):
        expand_due_notices()

    assert list(Notice.objects.filter(expanded_at__isnull=True).values_list("key", flat=True)) == ["bad"]
    assert not WebhookDelivery.objects.exists()


def test_expanders_that_break_leave_nothing_half_written(
    customer: BillingCustomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(notice: Notice) -> None:
        BillingCustomer.objects.filter(pk=customer.pk).update(email="half@example.com")

    def break_down(notice: Notice) -> None:
        raise ValueError

    monkeypatch.setattr(notice_expansion, "EXPANDERS", (write, break_down))
    say(customer)

    with pytest.raises(RuntimeError, match="could not be expanded"):
        expand_due_notices()

    customer.refresh_from_db()
    assert customer.email == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quiet_broker")
def test_expanders_at_once_share_the_work(expanded: list[str]) -> None:
    customer = make_customer()
    for number in range(40):
        say(customer, key=str(number))

    counts = at_once(*[expand_due_notices] * 4)

    assert sum(counts) == 40
    assert sorted(expanded, key=int) == [str(number) for number in range(40)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_notice SET payload = '{}'",
        "UPDATE billing_notice SET key = 'other'",
        "DELETE FROM billing_notice",
    ],
)
def test_what_was_announced_stands(customer: BillingCustomer, statement: str) -> None:
    say(customer)

    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_money_and_security_cannot_be_switched_off() -> None:
    switchable = {event for event, rule in MAIL_RULES.items() if rule.can_be_switched_off}

    assert switchable == {NoticeEvent.BALANCE_LOW, NoticeEvent.BALANCE_DEPLETED, NoticeEvent.CREDITS_EXPIRING}
    assert {MAIL_RULES[event].topic for event in MAIL_RULES.keys() - switchable} == {
        NoticeTopic.MONEY,
        NoticeTopic.SECURITY,
    }
