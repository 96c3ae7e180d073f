"""What a plan limits: both sides of each edge of API keys, and how long an answer is remembered."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.api_keys import MAX_LIVE_KEYS, TooManyKeys, issue_key, revoke_key, rotate_key
from accounts.models import User
from billing.models import BillingCustomer
from billing.selectors import plan_limits
from billing.selectors.plan_limits import (
    PlanLimits,
    forget_limits,
    limits_of,
    limits_of_plan,
    most_api_keys,
    read_limits,
)
from billing.tests.plan_subscriptions import make_free, subscribe
from billing.tests.plan_world import make_plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(customer: BillingCustomer) -> User:
    assert customer.user is not None
    return customer.user


def make_keys(user: User, count: int) -> None:
    for number in range(count):
        issue_key(user=user, name=f"Key {number}", scopes=["read"])


def test_a_plan_without_limits_limits_nothing(customer: BillingCustomer) -> None:
    make_free()

    limits = read_limits(customer_id=customer.pk, now=timezone.now())

    assert limits == PlanLimits(plan="free", name="Free")
    assert limits.allows_model("anything")


def test_limits_are_read_as_the_plan_has_them(customer: BillingCustomer) -> None:
    make_free(max_api_keys=1)
    plan = make_plan(
        "pro", requests_per_minute=7, max_call_tokens=900, models_allowed=["small", "large"], max_api_keys=3
    )
    subscribe(customer, plan)

    limits = read_limits(customer_id=customer.pk, now=timezone.now())

    assert limits == limits_of_plan(plan)
    assert [limits.allows_model(model) for model in ("small", "large", "huge", "")] == [True, True, False, False]


def test_a_subscription_to_no_seats_has_the_limits_of_free(customer: BillingCustomer) -> None:
    make_free(max_api_keys=1)
    subscribe(customer, make_plan("pro", max_api_keys=3), quantity=0)

    assert read_limits(customer_id=customer.pk, now=timezone.now()).plan == "free"


def test_an_answer_is_remembered_for_seconds(customer: BillingCustomer, monkeypatch: pytest.MonkeyPatch) -> None:
    free = make_free(max_call_tokens=10)
    moment = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: moment)
    assert limits_of(customer_id=customer.pk).max_call_tokens == 10

    free.max_call_tokens = 20
    free.save()
    moment += plan_limits.REMEMBERED_SECONDS - 0.1
    before = limits_of(customer_id=customer.pk).max_call_tokens
    moment += 0.2
    after = limits_of(customer_id=customer.pk).max_call_tokens

    assert (before, after) == (10, 20)


def test_what_is_remembered_has_an_end(customer: BillingCustomer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_limits, "_MOST_REMEMBERED", 3)

    for number in range(10):
        limits_of(customer_id=-number)

    assert len(plan_limits._remembered) <= 3
    forget_limits()


def test_the_last_key_that_a_plan_allows_is_made_and_one_more_is_not(user: User) -> None:
    make_free(max_api_keys=2)
    make_keys(user, 2)

    with pytest.raises(TooManyKeys, match="There are 2 live keys already"):
        make_keys(user, 1)


def test_a_larger_plan_makes_room_for_more_keys_than_are_usual(user: User, customer: BillingCustomer) -> None:
    subscribe(customer, make_plan("pro", max_api_keys=MAX_LIVE_KEYS + 1))

    make_keys(user, MAX_LIVE_KEYS + 1)

    with pytest.raises(TooManyKeys):
        make_keys(user, 1)


def test_keys_that_are_too_many_after_a_downgrade_go_on_until_revoked(user: User, customer: BillingCustomer) -> None:
    subscription = subscribe(customer, make_plan("pro", max_api_keys=5))
    make_keys(user, 3)
    make_free(max_api_keys=2)
    subscription.status, subscription.ended_at = "canceled", timezone.now()
    subscription.save()

    assert most_api_keys(user=user) == 2
    keys = list(user.api_keys.all())
    with pytest.raises(TooManyKeys):
        make_keys(user, 1)
    for key in keys[:2]:
        revoke_key(key=key, now=timezone.now())

    make_keys(user, 1)


def test_a_full_list_of_keys_can_be_rotated(user: User) -> None:
    make_free(max_api_keys=1)
    old = issue_key(user=user, name="Server", scopes=["read"]).key

    new = rotate_key(key=old, now=timezone.now(), actor=user, overlap=timedelta(hours=1))

    assert new.key.replaces == old


def test_staff_make_keys_as_they_need_them(user: User) -> None:
    make_free(max_api_keys=1)
    user.is_staff = True
    user.save()

    make_keys(user, 3)

    assert most_api_keys(user=user) is None


def test_who_was_never_seen_by_billing_is_on_free(db: None) -> None:
    newcomer = User.objects.create_user("new@example.com", "a good password")
    assert most_api_keys(user=newcomer) is None

    make_free(max_api_keys=1)

    assert most_api_keys(user=newcomer) == 1
