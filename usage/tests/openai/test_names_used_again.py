"""A call that outlives its hold: its name may be used again, and what was served under it is charged each time."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.api_keys import NewKey
from accounts.models import User
from billing.models import CreditHold, PricingConfig
from billing.services.holds import expire_stale_holds
from billing.usage_cost import Tokens
from usage.models import UsageEvent
from usage.services.calls import open_call
from usage.services.served_calls import ServedCall, open_for_key
from usage.tests.factories import MODEL, balance_of, customer_of, make_key
from usage.tests.sending import assert_books_are_right

NAME = "openai:key:reply-1"


@pytest.fixture
def key(user: User, price: PricingConfig) -> NewKey:
    return make_key(user)


def open_served(user: User, key: NewKey) -> ServedCall:
    call = open_for_key(
        api_key=key.key,
        event_id=NAME,
        open_call=lambda: open_call(
            customer_id=customer_of(user).pk,
            model=MODEL,
            input_tokens=10,
            max_tokens=50,
            event_id=NAME,
            api_key=key.key,
        ),
    )
    return ServedCall(call=call, input_tokens=10, reported=Tokens(input=10, output=20))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the first ends first", "the second ends first"])
def test_both_calls_of_a_name_are_charged_where_both_were_served(
    user: User, key: NewKey, order: tuple[int, int]
) -> None:
    first = open_served(user, key)
    CreditHold.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    expire_stale_holds(now=timezone.now())
    calls = (first, open_served(user, key))

    events = [calls[index].end() for index in order]
    again = [calls[index].end() for index in order]

    assert [event.credits for event in events] == [50, 50]
    assert again == events
    assert {event.hold_id for event in events} == {call.call.hold.pk for call in calls}
    assert (balance_of(user).posted, balance_of(user).held) == (900, 0)
    assert_books_are_right(user)


def test_one_of_them_that_was_not_served_costs_nothing(user: User, key: NewKey) -> None:
    first = open_served(user, key)
    CreditHold.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    expire_stale_holds(now=timezone.now())
    open_served(user, key).end()
    first.reported = None

    first.end(failure="client_gone")

    assert sorted(UsageEvent.objects.values_list("credits", flat=True)) == [0, 50]
    assert balance_of(user).posted == 950
