"""What a customer wants to be told of."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from billing.models.customer import BillingCustomer
from billing.models.fields import CreditsField


class NotificationPreferences(models.Model):
    """A customer's choices. Without a row everything is told, at the installation's threshold."""

    customer = models.OneToOneField(
        BillingCustomer, primary_key=True, on_delete=models.PROTECT, related_name="notification_preferences"
    )
    switched_off = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="Events that are not mailed."
    )
    low_threshold = CreditsField(
        null=True, blank=True, help_text="Below so many credits the balance is low; empty: LOW_BALANCE_THRESHOLD."
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "notification preferences"
        verbose_name_plural = "notification preferences"
        constraints = [
            models.CheckConstraint(
                condition=Q(low_threshold__isnull=True) | Q(low_threshold__gte=0), name="billing_preferences_threshold"
            ),
        ]

    def __str__(self) -> str:
        return f"Preferences of {self.customer_id}"
