"""What happened to a customer that somebody is to be told of."""

from django.db import models
from django.db.models import Q

from billing.models.customer import BillingCustomer
from billing.models.fields import new_public_id
from billing.models.triggers import append_only
from billing.notice_kinds import NoticeEvent

# What pages show banners of, and what ends these.
BANNER_EVENTS = (
    NoticeEvent.CREDITS_EXPIRING,
    NoticeEvent.PAYMENT_FAILED,
    NoticeEvent.PAYMENT_RECEIPT,
    NoticeEvent.PAYMENT_DISPUTED,
    NoticeEvent.TOP_UP_FAILED,
    NoticeEvent.TOP_UP_PAUSED,
    NoticeEvent.TOP_UP_AUTHENTICATION_NEEDED,
    NoticeEvent.TOP_UP_TURNED_OFF,
    NoticeEvent.SUBSCRIPTION_UPDATED,
    NoticeEvent.SUBSCRIPTION_CANCELED,
    NoticeEvent.SUBSCRIPTION_TRIAL_ENDING,
    NoticeEvent.SUBSCRIPTION_PAYMENT_FAILED,
)


def new_notice_id() -> str:
    return new_public_id("evt")


class Notice(models.Model):
    """A fact that was announced, once, in the database transaction that made it true. Mails and webhooks come of it."""

    public_id = models.CharField(max_length=40, unique=True, default=new_notice_id, editable=False)
    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="notices", db_index=False)
    event = models.CharField(max_length=40, help_text="One of `NoticeEvent`.")
    key = models.CharField(max_length=200, help_text="Names the fact: the same key of an event is announced once.")
    payload = models.JSONField(help_text="Ids, credits as decimal strings, money as minor units, times in ISO 8601.")
    occurred_at = models.DateTimeField(help_text="When it happened in the world.")
    created_at = models.DateTimeField(help_text="When it was recorded.")
    expanded_at = models.DateTimeField(
        null=True, blank=True, help_text="When its mails and webhook deliveries were written."
    )
    next_try_at = models.DateTimeField(
        null=True, blank=True, help_text="When one that could not be expanded is tried again."
    )
    dismissed_at = models.DateTimeField(null=True, blank=True, help_text="When the customer closed its banner.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "event", "key"], name="billing_notice_key"),
        ]
        indexes = [
            models.Index(fields=["id"], name="billing_notice_due", condition=Q(expanded_at__isnull=True)),
            models.Index(fields=["customer", "-occurred_at"], name="billing_notice_customer"),
            models.Index(
                fields=["customer", "-occurred_at"],
                name="billing_notice_banner",
                condition=Q(event__in=sorted(event.value for event in BANNER_EVENTS), dismissed_at__isnull=True),
            ),
        ]
        triggers = append_only(but=("expanded_at", "next_try_at", "dismissed_at"))

    def __str__(self) -> str:
        return f"{self.event} {self.public_id}"
