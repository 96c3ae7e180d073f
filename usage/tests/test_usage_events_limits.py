"""`POST usage-events`: who may spend how much, and who records what is done anyway."""

from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import ApiKey, User
from billing.models import ApiKeySpending, PricingConfig
from billing.services.customers import freeze_customer
from usage.metering import metered
from usage.models import UsageEvent
from usage.tests.factories import (
    MODEL,
    balance_of,
    customer_of,
    make_user,
)
from usage.tests.sending import ClientOf, assert_books_are_right, event_of, send, told

pytestmark = pytest.mark.django_db


def test_frozen_customer_s_events_are_refused(api: Client, user: User, price: PricingConfig) -> None:
    freeze_customer(customer_id=customer_of(user).pk, reason="Dispute")

    assert told(send(api, event_of())) == [("refused", "customer_frozen", None)]


def test_work_that_is_done_is_recorded_below_zero_and_through_a_freeze(
    client_of: ClientOf, price: PricingConfig
) -> None:
    platform, payer = make_user(), make_user(credits=15)
    api, customer = client_of(platform, scopes=("spend", "customers")), customer_of(payer)
    named = {"headers": {"Billing-Customer": customer.public_id}}

    assert told(send(api, event_of("a"), event_of("b"), body={"record_only": True}, **named)) == [("posted",)] * 2
    assert balance_of(payer).posted == -5
    assert told(send(api, event_of("c"), **named)) == [("refused", "insufficient_credits", None)]
    freeze_customer(customer_id=customer.pk, reason="Dispute")
    assert told(send(api, event_of("c"), body={"record_only": True}, **named)) == [("posted",)]

    assert (balance_of(payer).posted, balance_of(platform).posted) == (-15, 0)
    assert_books_are_right(payer)


def test_only_a_key_for_customers_may_record_what_is_not_covered(api: Client, user: User, price: PricingConfig) -> None:
    browser = Client()
    browser.force_login(user)

    for caller in (api, browser):
        answer = send(caller, event_of(), body={"record_only": True})
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert not UsageEvent.objects.exists()


def test_key_that_may_only_read_cannot_post(client_of: ClientOf, user: User) -> None:
    assert send(client_of(user, scopes=("read",)), event_of()).status_code == 403


def test_key_s_limit_refuses_what_is_beyond_it_one_by_one(
    client_of: ClientOf, user: User, price: PricingConfig
) -> None:
    api = client_of(user, monthly_limit=Decimal(25))

    answer = send(
        api,
        event_of("a"),
        event_of("b", input_tokens=16),
        event_of("c", input_tokens=15),
        event_of("d", input_tokens=1),
        event_of("e", input_tokens=2000),
        event_of("f", input_tokens=0),
    )

    beyond = ("refused", "key_limit_reached", None)
    assert told(answer) == [
        ("posted",),
        beyond,
        ("posted",),
        beyond,
        ("refused", "insufficient_credits", None),
        ("posted",),
    ]
    assert answer.json()["events"][1]["available"] == "15.000000"
    assert ApiKey.objects.get().spending.spent == 25
    assert balance_of(user).posted == 975
    assert told(send(api, event_of("d", input_tokens=1))) == [beyond]
    assert_books_are_right(user)


def test_limit_and_balance_are_judged_together_in_the_order_given(client_of: ClientOf, price: PricingConfig) -> None:
    user = make_user(credits=11)
    api = client_of(user, monthly_limit=Decimal(10))

    answer = send(
        api, *(event_of(str(number), input_tokens=cost) for number, cost in enumerate((1, 10, 12, 1, 9, 8, 1)))
    )

    beyond, short = ("refused", "key_limit_reached", None), ("refused", "insufficient_credits", None)
    assert told(answer) == [("posted",), beyond, short, ("posted",), beyond, ("posted",), beyond]
    assert (balance_of(user).posted, ApiKeySpending.objects.get().spent) == (1, 10)
    assert_books_are_right(user)


def test_what_the_key_s_open_holds_keep_is_not_there_for_events(
    client_of: ClientOf, user: User, price: PricingConfig
) -> None:
    api = client_of(user, monthly_limit=Decimal(220))
    metered(user, MODEL, "x" * 24, idempotency_key="job-1", api_key=ApiKey.objects.get()).open()

    assert told(send(api, event_of("a"), event_of("b", input_tokens=1))) == [
        ("posted",),
        ("refused", "key_limit_reached", None),
    ]


def test_recorded_work_counts_for_the_key_but_is_not_stopped_by_its_limit(
    client_of: ClientOf, user: User, price: PricingConfig
) -> None:
    api = client_of(user, scopes=("spend", "customers"), monthly_limit=Decimal(15))

    assert told(send(api, event_of("a"), event_of("b"), body={"record_only": True})) == [("posted",)] * 2
    assert ApiKeySpending.objects.get().spent == 20
