"""A hold whose time is over, a key whose limit is used up, credits that staff moved: each is announced once."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from accounts.models import ApiKey
from billing.kinds import EntryKind
from billing.models import BillingCustomer, Notice
from billing.services.adjustments import request_adjustment
from billing.services.batches import spend_in_batch
from billing.services.holds import expire_stale_holds, place_hold
from billing.services.posting import Posting
from billing.tests.api.conftest import make_program
from billing.tests.services.money_back import make_staff
from billing.tests.views.rows import add_entry

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
DEBIT = {"amount": "10", "description": "Work"}


def told(event: str) -> list[dict[str, object]]:
    return list(Notice.objects.filter(event=event).order_by("pk").values_list("payload", flat=True))


def test_a_stale_hold_is_told_once(customer: BillingCustomer) -> None:
    add_entry(customer, "100")
    stale = place_hold(customer_id=customer.pk, amount=30, key="api:1", lifetime=timedelta(minutes=1))
    place_hold(customer_id=customer.pk, amount=10, key="api:2", lifetime=timedelta(minutes=9))
    later = timezone.now() + timedelta(minutes=2)

    with time_machine.travel(later, tick=False):
        expire_stale_holds(now=later, dry_run=True)
        assert told("hold.expired") == []
        assert expire_stale_holds(now=later) == 1
        assert expire_stale_holds(now=later) == 0

    [row] = told("hold.expired")
    assert (row["hold"], row["amount"]) == (stale.public_id, "30.000000")


def test_a_used_up_limit_is_told_once_a_month(customer: BillingCustomer) -> None:
    add_entry(customer, "1000")
    program = make_program(customer.user, monthly_limit=15)
    assert program.post("/debits", DEBIT, key="one").status_code == 201
    assert told("key.limit_reached") == []

    for number in range(3):
        assert program.post("/debits", DEBIT, key=f"more-{number}").status_code == 402

    [row] = told("key.limit_reached")
    assert row == {"key": program.key.key_id, "name": "A program", "limit": "15.000000"}
    notice = Notice.objects.get(event="key.limit_reached")
    assert notice.key == f"{program.key.key_id}:{timezone.now():%Y-%m}"


def test_a_batch_that_passes_the_limit_tells_it_too(customer: BillingCustomer) -> None:
    add_entry(customer, "1000")
    program = make_program(customer.user, monthly_limit=15)
    postings = [
        Posting(customer_id=customer.pk, kind=EntryKind.USAGE, amount=Decimal(-10), key=f"usage:{number}")
        for number in range(3)
    ]

    spend_in_batch(customer_id=customer.pk, postings=postings, placed_by=f"key:{program.key.key_id}")

    assert len(told("key.limit_reached")) == 1


def test_lack_of_credits_is_not_the_keys_limit(customer: BillingCustomer) -> None:
    program = make_program(customer.user, monthly_limit=15)

    assert program.post("/debits", DEBIT).status_code == 402

    assert told("key.limit_reached") == []


def test_what_staff_give_is_told_with_its_reason(customer: BillingCustomer) -> None:
    staff = make_staff("adjust_credits")

    for _ in range(2):
        request_adjustment(
            customer=customer,
            amount=Decimal(25),
            reason_code="goodwill",
            note="Sorry for the outage",
            form_key="form-1",
            actor=staff,
            address="203.0.113.7",
        )

    [row] = told("adjustment.made")
    assert (row["amount"], row["balance_after"], row["reason"]) == ("25.000000", "25.000000", "Sorry for the outage")
    assert str(row["adjustment"]).startswith("adj_")


def test_nobodys_key_is_told_to_nobody(customer: BillingCustomer) -> None:
    make_program(customer.user)
    ApiKey.objects.create(key_id="x", prefix="ppk_test", secret_hash="", last_four="", name="Lost", scopes=["read"])

    assert len(told("key.created")) == 1
