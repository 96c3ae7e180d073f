"""Subscriptions, read."""

from datetime import datetime

from django.db.models import Q, QuerySet

from billing import conf
from billing.models import Subscription, SubscriptionStatus


def entitling_subscriptions(*, now: datetime) -> QuerySet[Subscription]:
    """Subscriptions that make their customers' plan: running ones, and past due ones within the days of grace.

    A pause of collection ends none: no invoice is paid meanwhile, so no credits come. One of no seats asks for nothing,
    for ever, and so is no paid plan.
    """
    late = Q(status=SubscriptionStatus.PAST_DUE, past_due_since__gt=now - conf.plan_payment_grace())
    running = Q(status__in=[SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING])
    return Subscription.objects.filter(running | late, ended_at__isnull=True, quantity__gt=0)
