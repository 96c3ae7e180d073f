"""Why staff should look at a customer, and why it may not spend."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.models.customer import BillingCustomer


class CustomerFlag(models.Model):
    """One cause to look at a customer; some causes freeze spending while they stand.

    What staff have lifted stays lifted where the cause names an object of Stripe's or of ours, however often it is told
    again. A cause that had settled itself may come again: a dispute is appealed, the refund of a warning fails.
    """

    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="flags", db_index=False)
    cause = models.CharField(max_length=300, help_text="What raised it: staff, books, dispute:dp_…, payment:pay_…")
    reason = models.CharField(max_length=500)
    freezes = models.BooleanField(help_text="Whether debits and holds are refused while it stands.")
    raised_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    ended_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = "flag"
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "cause"], condition=Q(ended_at__isnull=True), name="billing_flag_open_cause"
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "raised_at"], name="billing_flag_customer"),
            models.Index(fields=["-raised_at"], name="billing_flag_open", condition=Q(ended_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.cause}: {self.reason}"
