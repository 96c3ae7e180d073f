"""One key, one intent: the same request never acts twice, another one is refused."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.errors import IdempotencyConflict, InsufficientCredits
from billing.kinds import EntryKind
from billing.models import BillingCustomer, LedgerEntry
from billing.services.customers import freeze_customer
from billing.tests.ledger.conftest import Clock
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import balance_of, buy, give, kinds_of, post_one, posting_of, use

pytestmark = pytest.mark.django_db


def test_the_same_request_again_gives_the_first_entry_and_moves_nothing(customer: BillingCustomer) -> None:
    give(customer, 10)
    first = use(customer, 3, key="api:once")

    again = use(customer, 3, key="api:once")

    assert again.pk == first.pk
    assert again.balance_after == 7
    assert balance_of(customer).posted == 7


def test_a_replay_works_when_the_credits_are_gone_and_the_customer_is_frozen(customer: BillingCustomer) -> None:
    give(customer, 3)
    first = use(customer, 3, key="api:once")
    freeze_customer(customer_id=customer.pk, reason="Dispute")

    assert use(customer, 3, key="api:once").pk == first.pk


def test_text_and_time_do_not_make_another_request(customer: BillingCustomer) -> None:
    give(customer, 10)
    first = use(customer, 3, key="api:once", description="One")

    again = use(customer, 3, key="api:once", description="Two", occurred_at=timezone.now() - timedelta(days=1))

    assert again.pk == first.pk
    assert LedgerEntry.objects.get(pk=first.pk).description == "One"


def test_the_same_amount_written_otherwise_is_the_same_request(customer: BillingCustomer) -> None:
    first = give(customer, "10", key="api:once")

    assert give(customer, "1.0E+1", key="api:once").pk == first.pk
    assert give(customer, "10.000000", key="api:once").pk == first.pk


@pytest.mark.parametrize(
    "change",
    [
        {"amount": -4},
        {"amount": 3, "kind": EntryKind.PROMOTION},
        {"source_type": "video"},
        {"source_id": "8"},
        {"corrects_id": 1},
    ],
    ids=str,
)
def test_another_request_with_the_key_is_a_conflict(customer: BillingCustomer, change: dict[str, object]) -> None:
    give(customer, 10)
    request = {"kind": EntryKind.USAGE, "amount": -3, "source_type": "image", "source_id": "7", "key": "api:once"}
    post_one(customer, **request)  # type: ignore[arg-type]

    with pytest.raises(IdempotencyConflict) as refusal:
        post_one(customer, **(request | change))  # type: ignore[arg-type]

    assert refusal.value.key == "api:once"
    assert balance_of(customer).posted == 7


def test_another_payment_with_the_key_is_a_conflict(customer: BillingCustomer) -> None:
    payment, other = buy(customer, 10), buy(customer, 10)

    post_one(customer, EntryKind.REFUND, -1, key="api:once", payment_id=payment.pk)
    with pytest.raises(IdempotencyConflict):
        post_one(customer, EntryKind.REFUND, -1, key="api:once", payment_id=other.pk)


def test_two_customers_may_use_one_key_each(customer: BillingCustomer) -> None:
    other = make_customer()

    first, second = give(customer, 1, key="api:once"), give(other, 2, key="api:once")

    assert first.pk != second.pk
    assert (balance_of(customer).posted, balance_of(other).posted) == (1, 2)


def test_the_key_of_a_refused_request_is_free(customer: BillingCustomer) -> None:
    with pytest.raises(InsufficientCredits):
        use(customer, 3, key="api:once")
    give(customer, 3)

    assert use(customer, 3, key="api:once").amount == -3


def test_parts_of_a_request_do_not_run_into_each_other(customer: BillingCustomer) -> None:
    one = posting_of(customer, EntryKind.PROMOTION, 1, source_type="ab", source_id="c")
    other = posting_of(customer, EntryKind.PROMOTION, 1, source_type="a", source_id="bc")

    assert one.request_hash() != other.request_hash()


def test_a_replay_expires_what_has_lapsed_meanwhile(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 10, expires_at=clock.after(hours=1), key="api:once")
    clock.move(hours=1)

    give(customer, 10, expires_at=clock.after(hours=1), key="api:once")

    assert kinds_of(customer) == ["promotion", "expiry"]


def test_the_database_refuses_a_second_entry_of_a_key(customer: BillingCustomer) -> None:
    entry = give(customer, 10, key="api:once")
    copy = LedgerEntry.objects.get(pk=entry.pk)
    copy.pk, copy.sequence = None, 2

    with pytest.raises(IntegrityError, match="billing_entry_key"), transaction.atomic():
        copy.save(force_insert=True)
