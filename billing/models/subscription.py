"""A customer's subscription, as Stripe told it last."""

from django.db import models

from billing.models.customer import BillingCustomer
from billing.models.plan import Plan


class SubscriptionStatus(models.TextChoices):
    """Stripe's words; a new one of theirs is kept as it comes."""

    INCOMPLETE = "incomplete", "Incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired", "Never paid"
    TRIALING = "trialing", "On trial"
    ACTIVE = "active", "Active"
    PAST_DUE = "past_due", "Past due"
    UNPAID = "unpaid", "Unpaid"
    PAUSED = "paused", "Paused"
    CANCELED = "canceled", "Canceled"


class Subscription(models.Model):
    """A mirror of Stripe's object. A reading that began earlier never overwrites one that began later."""

    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="subscriptions")
    subscription_id = models.CharField(max_length=255, unique=True)
    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="subscriptions")
    next_plan = models.ForeignKey(
        Plan,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="awaited_by",
        help_text="The plan that the change brings which waits; empty where none waits, or its price is of no plan.",
    )
    changes_at = models.DateTimeField(null=True, blank=True, help_text="When the change comes that waits.")
    status = models.CharField(max_length=30)
    items = models.JSONField(default=list, help_text="Of each: item, price, quantity, period_start, period_end.")
    quantity = models.PositiveIntegerField(default=1)
    price_minor = models.BigIntegerField(default=0, help_text="Of one period, all seats, before discount and tax.")
    currency = models.CharField(max_length=3, blank=True)
    interval = models.CharField(max_length=5, blank=True)
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    trial_end = models.DateTimeField(null=True, blank=True)
    cancel_at = models.DateTimeField(null=True, blank=True)
    canceled_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    pause_behavior = models.CharField(
        max_length=30, blank=True, help_text="How collection is paused; empty: it is not."
    )
    past_due_since = models.DateTimeField(null=True, blank=True, help_text="When we first read that it was past due.")
    started_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(help_text="When the reading began that this row comes from.")

    class Meta:
        indexes = [
            models.Index(fields=["status"], name="billing_subscription_status"),
            models.Index(fields=["ended_at"], name="billing_subscription_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.status}"
