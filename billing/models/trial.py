"""Who has had the credits of a trial."""

from django.db import models
from django.db.models import Q

from billing.models.customer import BillingCustomer


class TrialGrant(models.Model):
    """The credits of a trial: once per customer and once per card, for ever."""

    customer = models.OneToOneField(BillingCustomer, on_delete=models.PROTECT, related_name="trial_grant")
    card_fingerprint = models.CharField(max_length=100, help_text="Stripe's name for the card, whoever uses it.")
    subscription_id = models.CharField(max_length=255)
    entry = models.OneToOneField("billing.LedgerEntry", on_delete=models.PROTECT, related_name="trial_grant")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "trial grant"
        constraints = [
            models.UniqueConstraint(
                fields=["card_fingerprint"], condition=~Q(card_fingerprint=""), name="billing_trial_once_per_card"
            )
        ]

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.subscription_id}"
