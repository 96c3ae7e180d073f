"""What plan a customer is on, and what comes with it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.db.models import Sum

from billing import conf
from billing.kinds import EntryKind
from billing.models import BillingCustomer, CreditGrant, LedgerEntry, Plan, PlanPrice, Subscription, SubscriptionStatus
from billing.models.plan import FREE_SLUG
from billing.money import ZERO
from billing.selectors.overview import first_sequence_since

NO_SUBSCRIPTION = "none"
_GOING_ON = (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE)
_OWING = (SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID)
_NOT_RUNNING = (
    SubscriptionStatus.INCOMPLETE,
    SubscriptionStatus.INCOMPLETE_EXPIRED,
    SubscriptionStatus.CANCELED,
)
_USED = (EntryKind.USAGE, EntryKind.USAGE_CORRECTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentPlan:
    """The plan that counts now. `overdue` is a subscription whose payment fails, whether it still counts or not."""

    plan: Plan | None  # None: there is no Free plan, or the customer is of a product that bills through us
    subscription: Subscription | None
    overdue: Subscription | None

    @property
    def tier(self) -> str | None:
        return self.plan.slug if self.plan else None

    @property
    def status(self) -> str:
        """Stripe's word for the subscription that counts; `none` without one."""
        return self.subscription.status if self.subscription else NO_SUBSCRIPTION

    @property
    def expires_at(self) -> datetime | None:
        """Until when it is paid, or tried: then it is renewed, or ends where it is cancelled."""
        return self.subscription.period_end if self.subscription else None

    @property
    def cancel_at(self) -> datetime | None:
        return self.subscription.cancel_at if self.subscription else None

    @property
    def next_plan(self) -> Plan | None:
        """The plan that the change brings which waits; None too where that one is not known."""
        return self.subscription.next_plan if self.subscription else None

    @property
    def changes_at(self) -> datetime | None:
        """When a change comes that waits, for the end of the period as a rule."""
        return self.subscription.changes_at if self.subscription else None

    @property
    def trial_end(self) -> datetime | None:
        """When the trial ends; nothing once it has."""
        return self.subscription.trial_end if self.subscription and self.is_on_trial else None

    @property
    def is_on_trial(self) -> bool:
        return self.status == SubscriptionStatus.TRIALING


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanUse:
    """Credits of this UTC month: used by usage, included in a period of the plan, and left of such credits."""

    used: Decimal
    included: Decimal | None
    left: Decimal


def current_plan(*, customer: BillingCustomer, now: datetime) -> CurrentPlan:
    """The plan of the customer: of the subscriptions that go on the one that ranks highest, else Free. Two queries.

    One that is past due counts through the grace period. Paused collection ends nothing: it stays active.
    """
    living = Subscription.objects.filter(customer=customer, ended_at__isnull=True, status__in=(*_GOING_ON, *_OWING))
    rows = sorted(living.select_related("plan", "next_plan"), key=_precedence, reverse=True)
    best = next((one for one in rows if one.plan is not None and counts(one, now=now)), None)
    overdue = next((one for one in rows if one.status in _OWING), None)
    if best is not None:
        return CurrentPlan(plan=best.plan, subscription=best, overdue=overdue)
    free = Plan.objects.filter(slug=FREE_SLUG).first() if customer.user_id is not None else None
    return CurrentPlan(plan=free, subscription=None, overdue=overdue)


def running_subscription(*, customer: BillingCustomer) -> Subscription | None:
    """The subscription that the customer can change or leave: of those that have not ended the highest one."""
    running = Subscription.objects.filter(customer=customer, ended_at__isnull=True).exclude(status__in=_NOT_RUNNING)
    return max(running.select_related("plan", "next_plan"), key=_precedence, default=None)


def counts(subscription: Subscription, *, now: datetime) -> bool:
    """Whether a subscription that has not ended gives its plan now. One of no seats is paid for by nobody."""
    if not subscription.quantity:
        return False
    if subscription.status in _GOING_ON:
        return True
    since = subscription.past_due_since or subscription.read_at
    return subscription.status == SubscriptionStatus.PAST_DUE and now < since + conf.plan_payment_grace()


def read_plan_use(*, customer: BillingCustomer, current: CurrentPlan, now: datetime) -> PlanUse:
    """What the customer has used this month, and what is left of included credits."""
    start = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    sequence = first_sequence_since(customer_id=customer.pk, since=start)
    entries = LedgerEntry.objects.filter(customer=customer, sequence__gte=sequence, occurred_at__gte=start)
    used = entries.filter(kind__in=_USED).aggregate(total=Sum("amount"))["total"] or ZERO
    included = (EntryKind.PLAN_ALLOWANCE, EntryKind.FREE_ALLOWANCE)
    grants = CreditGrant.objects.filter(customer=customer, is_open=True, kind__in=included)
    left = grants.exclude(expires_at__lte=now).aggregate(total=Sum("remaining"))["total"] or ZERO
    return PlanUse(used=max(ZERO, -used), included=included_credits(current), left=left)


def included_credits(current: CurrentPlan) -> Decimal | None:
    """Credits of one period of the plan as the customer has it; None where there is no plan."""
    if current.plan is None:
        return None
    if current.subscription is None:
        return conf.free_plan_credits()
    seats = {str(item["price"]): int(item["quantity"]) for item in current.subscription.items}
    prices = PlanPrice.objects.filter(stripe_price_id__in=seats)
    return sum((price.credits * seats[price.stripe_price_id] for price in prices), ZERO)


def plans_on_offer() -> list[Plan]:
    """The plans that the plans page compares, from the smallest to the largest, with their current prices."""
    return list(Plan.objects.filter(is_active=True).order_by("rank", "pk").prefetch_related("prices"))


def find_plan_on_offer(*, slug: str) -> Plan | None:
    """The plan of that address, if one can subscribe to it by oneself."""
    return Plan.objects.filter(slug=slug, is_active=True, price_minor__isnull=False).exclude(slug=FREE_SLUG).first()


def _precedence(subscription: Subscription) -> tuple[int, float, int]:
    """The higher rank first; of equals the one that is paid for longer."""
    rank = subscription.plan.rank if subscription.plan else -1
    until = subscription.period_end.timestamp() if subscription.period_end else 0.0
    return rank, until, subscription.pk
