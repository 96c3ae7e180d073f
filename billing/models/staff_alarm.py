"""What staff have been alarmed about, one row for each episode."""

from django.db import models
from django.db.models import Q


class AlarmKind(models.TextChoices):
    """What there is to be alarmed about; docs/operations.md says what to do."""

    PAYMENTS_FAILED = "payments_failed", "Five payments failed in a row"
    STRIPE_EVENTS_FAILED = "stripe_events_failed", "Five of Stripe's webhooks failed in a row"
    DELIVERIES_FAILED = "deliveries_failed", "Five of our webhooks failed in a row"
    REVENUE_DOWN = "revenue_down", "Revenue is down by a tenth"
    FINDINGS_OPEN = "findings_open", "Findings of reconciliation are open"
    EVENTS_WAIT = "events_wait", "Stripe's events wait for more than five minutes"


class StaffAlarm(models.Model):
    """One episode of an alarm: raised once, told of once, and ended when what it is about is over."""

    kind = models.CharField(max_length=30, choices=AlarmKind.choices)
    since = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    detail = models.CharField(max_length=500, help_text="As it was seen last.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], name="billing_alarm_one_active", condition=Q(ended_at__isnull=True)
            ),
        ]
        indexes = [models.Index(fields=["-since"], name="billing_alarm_since")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} since {self.since:%Y-%m-%d %H:%M}"
