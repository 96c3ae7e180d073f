"""Which plan a customer is on, whatever subscriptions there are; pages, API and limits agree."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from billing.kinds import EntryKind
from billing.models import BillingCustomer, Plan
from billing.selectors.plan_limits import read_limits
from billing.selectors.plans import CurrentPlan, current_plan, find_plan_on_offer, plans_on_offer, read_plan_use
from billing.services.customers import create_external_customer
from billing.tests.plan_subscriptions import make_free, subscribe
from billing.tests.plan_world import PRO_PLUS, make_plan
from billing.tests.views.rows import add_entry

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def free(db: None) -> Plan:
    return make_free()


@pytest.fixture
def pro(db: None) -> Plan:
    return make_plan("pro")


@pytest.fixture
def pro_plus(db: None) -> Plan:
    return make_plan("pro_plus", price=PRO_PLUS, rank=2)


def plan_of(customer: BillingCustomer) -> CurrentPlan:
    """The current plan, after a look that the limits are the same plan's."""
    now = timezone.now()
    current = current_plan(customer=customer, now=now)
    assert read_limits(customer_id=customer.pk, now=now).plan == (current.tier or "")
    return current


def test_who_has_no_subscription_is_on_free(customer: BillingCustomer, free: Plan, pro: Plan) -> None:
    current = plan_of(customer)

    assert (current.tier, current.status) == ("free", "none")
    assert (current.expires_at, current.cancel_at, current.trial_end) == (None, None, None)


def test_without_a_free_plan_there_is_none(customer: BillingCustomer, pro: Plan) -> None:
    assert plan_of(customer).tier is None


def test_customers_of_a_product_are_not_on_free(free: Plan, pro: Plan) -> None:
    customer, _ = create_external_customer(external_id="acme")
    assert plan_of(customer).tier is None

    subscribe(customer, pro)

    assert plan_of(customer).tier == "pro"


@pytest.mark.parametrize(
    ("status", "tier"),
    [
        ("active", "pro"),
        ("trialing", "pro"),
        ("past_due", "pro"),
        ("incomplete", "free"),
        ("incomplete_expired", "free"),
        ("unpaid", "free"),
        ("paused", "free"),
        ("canceled", "free"),
    ],
)
def test_status_decides_whether_a_subscription_counts(
    customer: BillingCustomer, free: Plan, pro: Plan, status: str, tier: str
) -> None:
    subscribe(customer, pro, status=status)

    assert plan_of(customer).tier == tier


def test_the_end_of_a_second_subscription_does_not_downgrade_the_first(
    customer: BillingCustomer, free: Plan, pro: Plan, pro_plus: Plan
) -> None:
    subscribe(customer, pro_plus)
    second = subscribe(customer, pro)
    second.status, second.ended_at = "canceled", timezone.now()
    second.save()

    assert plan_of(customer).tier == "pro_plus"


def test_of_two_subscriptions_the_higher_plan_counts(
    customer: BillingCustomer, free: Plan, pro: Plan, pro_plus: Plan
) -> None:
    higher = subscribe(customer, pro_plus, period_end=timezone.now() + DAY)
    subscribe(customer, pro, period_end=timezone.now() + 300 * DAY)

    assert plan_of(customer).subscription == higher


@pytest.mark.parametrize(("days", "tier"), [(6.99, "pro"), (7.01, "free")])
def test_past_due_keeps_the_plan_through_the_grace_period(
    customer: BillingCustomer, free: Plan, pro: Plan, days: float, tier: str, settings: Settings
) -> None:
    settings.PLAN_PAYMENT_GRACE_DAYS = 7
    overdue = subscribe(customer, pro, status="past_due", past_due_since=timezone.now() - days * DAY)

    current = plan_of(customer)

    assert (current.tier, current.overdue) == (tier, overdue)


def test_paused_collection_does_not_end_a_plan(customer: BillingCustomer, free: Plan, pro: Plan) -> None:
    subscribe(customer, pro, pause_behavior="void")

    assert plan_of(customer).tier == "pro"


def test_a_cancelled_plan_goes_on_until_its_end(customer: BillingCustomer, free: Plan, pro: Plan) -> None:
    end = timezone.now() + DAY
    subscribe(customer, pro, cancel_at=end, period_end=end)

    current = plan_of(customer)

    assert (current.tier, current.cancel_at, current.expires_at) == ("pro", end, end)


def test_a_trial_says_when_it_ends_and_only_while_it_lasts(customer: BillingCustomer, pro: Plan) -> None:
    end = timezone.now() + DAY
    trial = subscribe(customer, pro, status="trialing", trial_end=end)
    assert plan_of(customer).trial_end == end

    trial.status = "active"
    trial.save()

    assert plan_of(customer).trial_end is None


def test_a_subscription_of_no_known_plan_counts_for_nothing(customer: BillingCustomer, free: Plan) -> None:
    subscribe(customer, None)

    assert plan_of(customer).tier == "free"


def test_subscriptions_of_others_count_for_nothing(customer: BillingCustomer, free: Plan, pro: Plan) -> None:
    other, _ = create_external_customer(external_id="other")
    subscribe(other, pro)

    assert plan_of(customer).tier == "free"


def test_the_plan_takes_two_queries_and_the_limits_one(
    customer: BillingCustomer, free: Plan, pro: Plan, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        current_plan(customer=customer, now=timezone.now())
    with django_assert_num_queries(1):
        read_limits(customer_id=customer.pk, now=timezone.now())
    subscribe(customer, pro)
    with django_assert_num_queries(1):
        current_plan(customer=customer, now=timezone.now())


def test_use_is_of_this_month_and_included_credits_are_the_plans(customer: BillingCustomer, pro: Plan) -> None:
    now = timezone.now()
    add_entry(customer, "500", kind=EntryKind.FREE_ALLOWANCE, expires_at=now + DAY)
    add_entry(customer, "1000")
    add_entry(customer, "-30", kind=EntryKind.USAGE, occurred_at=now - 40 * DAY)
    add_entry(customer, "-70", kind=EntryKind.USAGE)
    add_entry(customer, "-5", kind=EntryKind.ADJUSTMENT)
    subscribe(customer, pro, items=[{"item": "si", "price": "price_pro", "quantity": 3}])

    use = read_plan_use(customer=customer, current=current_plan(customer=customer, now=now), now=now)

    assert (use.used, use.included, use.left) == (Decimal(70), Decimal(60_000), Decimal(395))


def test_free_includes_what_the_setting_says(customer: BillingCustomer, free: Plan, settings: Settings) -> None:
    settings.FREE_PLAN_CREDITS = 250
    now = timezone.now()

    use = read_plan_use(customer=customer, current=current_plan(customer=customer, now=now), now=now)

    assert (use.used, use.included, use.left) == (0, 250, 0)


def test_what_is_on_offer_is_active_and_what_can_be_subscribed_to_has_a_price(free: Plan, pro: Plan) -> None:
    make_plan("retired", is_active=False, rank=3)
    Plan.objects.create(slug="enterprise", name="Enterprise", rank=9)

    assert [plan.slug for plan in plans_on_offer()] == ["free", "pro", "enterprise"]
    assert [slug for slug in ("free", "pro", "enterprise", "retired") if find_plan_on_offer(slug=slug)] == ["pro"]
