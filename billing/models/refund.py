"""Money of a payment that went back by a refund."""

from django.db import models
from django.db.models import Q

from billing.models.payment import Payment


class PaymentRefund(models.Model):
    """A refund at Stripe. It counts from its creation, and no longer once it is dead (failed or canceled)."""

    refund_id = models.CharField(max_length=255, unique=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=30, blank=True, help_text="As last told; only death counts.")
    reason = models.CharField(max_length=100, blank=True)
    is_dead = models.BooleanField(default=False, help_text="Failed or canceled: the money stayed, for ever.")
    refunded_at = models.DateTimeField(help_text="When Stripe made it.")
    dead_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "refund"
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="billing_refund_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(is_dead=False, dead_at__isnull=True) | Q(is_dead=True, dead_at__isnull=False),
                name="billing_refund_death_has_a_time",
            ),
        ]
        indexes = [models.Index(fields=["-refunded_at"], name="billing_refund_refunded")]

    def __str__(self) -> str:
        return self.refund_id
