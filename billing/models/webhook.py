"""Where integrators want to be told of notices, and what was sent there."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from billing.models.customer import BillingCustomer
from billing.models.fields import new_public_id
from billing.models.notice import Notice


def new_endpoint_id() -> str:
    return new_public_id("whe")


def new_delivery_id() -> str:
    return new_public_id("whd")


class WebhookEndpoint(models.Model):
    """An address that is sent the events it subscribes to: of one customer, or of all where it names none.

    Its row is the lock of whoever sends to it: one message at a time, so a slow endpoint delays nobody but itself.
    """

    public_id = models.CharField(max_length=40, unique=True, default=new_endpoint_id, editable=False)
    customer = models.ForeignKey(
        BillingCustomer, null=True, blank=True, on_delete=models.CASCADE, related_name="webhook_endpoints"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    events = ArrayField(models.CharField(max_length=40))
    created_at = models.DateTimeField(auto_now_add=True)

    # Sealed with a key that is not in the database (billing/services/sealing.py).
    sealed_secret = models.TextField()
    sealed_former_secret = models.TextField(blank=True)
    former_secret_until = models.DateTimeField(null=True, blank=True, help_text="Until then both sign.")

    is_enabled = models.BooleanField(default=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=200, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True, help_text="The first failure since the last success.")
    failures_in_row = models.PositiveIntegerField(default=0)
    free_at = models.DateTimeField(default=timezone.now, help_text="When the next message may be sent.")
    deleted_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Gone for its owner; its log is deleted bit by bit."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "url"],
                name="billing_webhook_endpoint_url",
                nulls_distinct=False,
                condition=Q(deleted_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True) | Q(is_enabled=False, sealed_secret="", sealed_former_secret=""),
                name="billing_webhook_endpoint_deleted",
            ),
            models.CheckConstraint(condition=~Q(events=[]), name="billing_webhook_endpoint_has_events"),
            models.CheckConstraint(
                condition=Q(is_enabled=True, disabled_at__isnull=True) | Q(is_enabled=False, disabled_at__isnull=False),
                name="billing_webhook_endpoint_disabled",
            ),
        ]
        indexes = [models.Index(fields=["free_at"], name="billing_webhook_free", condition=Q(is_enabled=True))]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.host}"

    @property
    def host(self) -> str:
        """What may be told of the address anywhere: the rest of it may be a secret."""
        return urlsplit(self.url).hostname or ""


class DeliveryState(models.TextChoices):
    """How far a message has come."""

    PENDING = "pending", "Pending"
    DELIVERED = "delivered", "Delivered"
    DEAD = "dead", "Dead"


class WebhookDelivery(models.Model):
    """One message to one endpoint: the outbox. The body stays as it is through all tries."""

    public_id = models.CharField(max_length=40, unique=True, default=new_delivery_id, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    notice = models.ForeignKey(
        Notice, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="None for a test."
    )
    message_id = models.CharField(max_length=40, help_text="The notice's id, by which a receiver knows it again.")
    event = models.CharField(max_length=40)
    body = models.TextField(help_text="As it is sent.")
    created_at = models.DateTimeField(auto_now_add=True)

    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    give_up_at = models.DateTimeField(null=True, blank=True, help_text="Three days after the first failure.")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was delivered or given up.")

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "message_id"], name="billing_webhook_delivery_once"),
            models.CheckConstraint(
                condition=Q(state="pending", next_try_at__isnull=False, ended_at__isnull=True)
                | (~Q(state="pending") & Q(next_try_at__isnull=True, ended_at__isnull=False)),
                name="billing_webhook_delivery_due",
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "next_try_at"], name="billing_webhook_due", condition=Q(state="pending")),
            models.Index(fields=["endpoint", "-id"], name="billing_webhook_of_endpoint"),
            models.Index(
                fields=["endpoint", "-ended_at"], name="billing_webhook_delivered", condition=Q(state="delivered")
            ),
            models.Index(fields=["ended_at"], name="billing_webhook_ended", condition=Q(ended_at__isnull=False)),
            models.Index(fields=["state"], name="billing_webhook_unsent", condition=~Q(state="delivered")),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.public_id}"


class WebhookAttempt(models.Model):
    """One try of a delivery and what came of it."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempts")
    attempted_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True, help_text="Why there is no status.")
    excerpt = models.TextField(blank=True, help_text="The first kilobyte of the answer.")
    duration_ms = models.PositiveIntegerField()
    is_success = models.BooleanField()

    class Meta:
        indexes = [models.Index(fields=["-attempted_at"], name="billing_webhook_attempted")]

    def __str__(self) -> str:
        return f"{self.status or self.error} after {self.duration_ms} ms"
