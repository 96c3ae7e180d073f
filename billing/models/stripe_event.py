"""The inbox: every event that Stripe delivered, once."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q


class EventState(models.TextChoices):
    """How far an event has come."""

    PENDING = "pending", "Pending"
    DONE = "done", "Done"
    PARKED = "parked", "Parked"
    IGNORED = "ignored", "Ignored"
    DEAD = "dead", "Dead"


class StripeEvent(models.Model):
    """One event as Stripe sent it. Its effect and the mark `done` are written in one database transaction."""

    event_id = models.CharField(max_length=255, unique=True)
    type = models.CharField(max_length=100)
    api_version = models.CharField(max_length=40, blank=True)
    livemode = models.BooleanField()
    account = models.CharField(max_length=255, blank=True, help_text="Set for events of connected accounts.")
    object_id = models.CharField(max_length=255, blank=True)
    related_ids = ArrayField(
        models.CharField(max_length=255),
        default=list,
        blank=True,
        help_text="Ids of Stripe's and ours that the object names; parked events are found by them.",
    )
    body = models.TextField(help_text="As received.")
    occurred_at = models.DateTimeField(help_text="When Stripe made it.")
    received_at = models.DateTimeField(auto_now_add=True)

    state = models.CharField(max_length=10, choices=EventState.choices, default=EventState.PENDING)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it is parked, ignored or dead.")
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    parked_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    traceback = models.TextField(blank=True)
    redacted_at = models.DateTimeField(
        null=True, blank=True, help_text="When names, addresses and e-mail were taken out of the body."
    )

    class Meta:
        verbose_name = "Stripe event"
        indexes = [
            models.Index(fields=["next_try_at"], name="billing_event_due", condition=Q(state="pending")),
            models.Index(fields=["parked_at"], name="billing_event_parked", condition=Q(state="parked")),
            GinIndex(fields=["related_ids"], name="billing_event_parked_ids", condition=Q(state="parked")),
            models.Index(fields=["received_at"], name="billing_event_dead", condition=Q(state="dead")),
            models.Index(fields=["-received_at"], name="billing_event_received"),
            models.Index(fields=["object_id"], name="billing_event_object"),
            models.Index(
                fields=["received_at"], name="billing_event_unredacted", condition=Q(redacted_at__isnull=True)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="pending") | Q(next_try_at__isnull=False), name="billing_event_pending_is_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
