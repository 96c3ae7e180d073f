"""Who owns a balance."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from billing.models.fields import new_public_id


def new_customer_id() -> str:
    return new_public_id("cust")


class BillingCustomer(models.Model):
    """Who owns a balance. Everything in the ledger hangs on it, so that it outlives the user."""

    public_id = models.CharField(max_length=40, unique=True, default=new_customer_id, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="billing_customer"
    )
    external_id = models.CharField(
        max_length=255, null=True, blank=True, unique=True, help_text="What the product that bills through us calls it."
    )
    email = models.EmailField(blank=True, help_text="Of a customer without a user here.")
    stripe_customer_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    former_stripe_customer_ids = ArrayField(
        models.CharField(max_length=255), default=list, blank=True, help_text="Deleted at Stripe, newest last."
    )
    details_saved_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when we know that Stripe has an address for invoices."
    )
    details_attempts = models.PositiveIntegerField(default=0, help_text="How often they were sent to Stripe.")
    flagged_at = models.DateTimeField(null=True, blank=True, help_text="Since when staff should look at this customer.")
    flag_reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "customer"
        indexes = [GinIndex(fields=["former_stripe_customer_ids"], name="billing_customer_former_ids")]
        permissions = [
            ("adjust_credits", "Can give or take credits by hand"),
            ("freeze_customer", "Can freeze and free spending and lift flags"),
            ("export_rows", "Can export lists"),
            ("view_books", "Can see the books"),
        ]

    def __str__(self) -> str:
        return self.user.email if self.user else self.external_id or self.public_id
