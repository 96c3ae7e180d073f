"""Rows by statements whose text is constant: the same rows as the ORM's."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.api_keys import issue_key
from accounts.models import ApiKey, User
from billing.models import BillingCustomer, CreditHold, Payment
from billing.models.rows import Rows
from billing.selectors.key_owners import read_key
from billing.services.customers import ensure_customer
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import give, hold_for

pytestmark = pytest.mark.django_db


def values_of(row: models.Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_a_row_is_read_as_the_orm_reads_it() -> None:
    customer = make_customer()
    give(customer, 10)
    stored = CreditHold.objects.get(pk=hold_for(customer, 5).pk)
    rows = Rows(CreditHold)

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {rows.columns('hold')} FROM billing_credithold AS hold")  # noqa: S608
        read = rows.read(cursor.fetchone())

    assert values_of(read) == values_of(stored)
    assert read == stored
    assert not read._state.adding


def test_a_row_is_written_as_the_orm_writes_it() -> None:
    now = timezone.now()
    row = CreditHold(
        customer=make_customer(),
        amount=5,
        placed_at=now,
        expires_at=now + timedelta(minutes=1),
        idempotency_key="api:1",
        request_hash="x",
    )

    Rows(CreditHold).insert(row)

    row.refresh_from_db(fields=["amount"])
    assert values_of(row) == values_of(CreditHold.objects.get(pk=row.pk))
    assert not row._state.adding
    with pytest.raises(IntegrityError), transaction.atomic():
        Rows(CreditHold).insert(row)


def test_columns_that_would_have_to_be_converted_cannot_be_read() -> None:
    with pytest.raises(TypeError, match="Payment"):
        Rows(Payment).columns("event")


@pytest.mark.parametrize("has_customer", [True, False])
def test_a_key_is_read_with_its_owner_by_one_statement(
    has_customer: bool, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    user = User.objects.create_user("owner@example.com", "a good password")
    customer = ensure_customer(user=user) if has_customer else None
    issued = issue_key(user=user, name="Server", scopes=["read", "spend"]).key
    if not has_customer:  # a key is announced to its owner's customer, which so comes to be: as of keys made before
        BillingCustomer.objects.filter(user=user).update(user=None)

    with django_assert_num_queries(1):
        key = read_key(issued.key_id, issued.prefix)
        assert key is not None
        assert key.user == user
        if has_customer:
            assert key.user.billing_customer == customer

    stored = ApiKey.objects.select_related("user").get(pk=issued.pk)
    assert values_of(key) == values_of(stored)
    assert values_of(key.user) == values_of(user)
    if not has_customer:
        with pytest.raises(BillingCustomer.DoesNotExist):
            _ = key.user.billing_customer


def test_a_key_that_is_nobodys_or_unknown_is_read_as_such() -> None:
    user = User.objects.create_user("owner@example.com", "a good password")
    issued = issue_key(user=user, name="Server", scopes=["read"]).key
    ApiKey.objects.filter(pk=issued.pk).update(user=None)

    key = read_key(issued.key_id, issued.prefix)

    assert key is not None
    assert key.user is None
    assert read_key(issued.key_id, "ppk_other") is None
    assert read_key("unknown", issued.prefix) is None
