"""What staff want each other to know about a customer."""

from django.conf import settings
from django.db import models

from billing.models.customer import BillingCustomer


class CustomerNote(models.Model):
    """A note of staff; written once, shown to staff only."""

    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "note"
        indexes = [models.Index(fields=["customer", "-created_at"], name="billing_note_customer")]

    def __str__(self) -> str:
        return self.text[:80]
