"""Credits set aside for work in progress."""

from django.db import models
from django.db.models import Q

from billing.kinds import HoldState
from billing.models.customer import BillingCustomer
from billing.models.fields import CreditsField, new_public_id


def new_hold_id() -> str:
    return new_public_id("hold")


class CreditHold(models.Model):
    """Credits set aside until the work is settled with its true cost, released, or the time is over."""

    public_id = models.CharField(max_length=40, unique=True, default=new_hold_id, editable=False)
    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="holds", db_index=False)
    amount = CreditsField()
    state = models.CharField(
        max_length=10, choices=[(state.value, state.value.capitalize()) for state in HoldState], default=HoldState.OPEN
    )
    settled_amount = CreditsField(null=True, blank=True)
    is_late = models.BooleanField(default=False, help_text="Settled after it had expired.")
    placed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    placed_by = models.CharField(max_length=60, default="system", help_text="The API key that may end it, or `system`.")
    idempotency_key = models.CharField(max_length=300)
    request_hash = models.CharField(max_length=64)
    description = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = "hold"
        constraints = [
            models.UniqueConstraint(fields=["customer", "idempotency_key"], name="billing_hold_key"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="billing_hold_amount_positive"),
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True) | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="billing_hold_ended_once",
            ),
            models.CheckConstraint(
                condition=Q(state="settled", settled_amount__gte=0)
                | (~Q(state="settled") & Q(settled_amount__isnull=True)),
                name="billing_hold_settled_amount",
            ),
        ]
        indexes = [
            models.Index(fields=["customer"], name="billing_hold_open", condition=Q(state="open")),
            models.Index(
                fields=["placed_by"], name="billing_hold_by_key", condition=Q(state="open") & ~Q(placed_by="system")
            ),
            models.Index(fields=["expires_at"], name="billing_hold_stale", condition=Q(state="open")),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.amount}"
