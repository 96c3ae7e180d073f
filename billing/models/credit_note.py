"""Credit notes of invoices: what an invoice asked less for, or what of its money went back by no refund of its own."""

from django.db import models
from django.db.models import Q

from billing.models.invoice import Invoice


class CreditNote(models.Model):
    """A credit note at Stripe. It counts from its issue, and no longer once it is void; refunds count by themselves."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_notes")
    credit_note_id = models.CharField(max_length=255, unique=True)
    number = models.CharField(max_length=100, blank=True)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField(help_text="Tax included, refunds too.")
    before_payment_minor = models.BigIntegerField(default=0, help_text="What the invoice asked less for.")
    to_balance_minor = models.BigIntegerField(default=0, help_text="Went into the customer's balance at Stripe.")
    elsewhere_minor = models.BigIntegerField(default=0, help_text="Went back outside of Stripe.")
    pdf_url = models.URLField(max_length=1000, blank=True)
    is_void = models.BooleanField(default=False)
    issued_at = models.DateTimeField()
    voided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "credit note"
        constraints = [
            models.CheckConstraint(
                condition=Q(before_payment_minor__gte=0, to_balance_minor__gte=0, elsewhere_minor__gte=0),
                name="billing_credit_note_amounts",
            ),
            models.CheckConstraint(
                condition=Q(is_void=False, voided_at__isnull=True) | Q(is_void=True, voided_at__isnull=False),
                name="billing_credit_note_void_has_a_time",
            ),
        ]
        indexes = [models.Index(fields=["-issued_at"], name="billing_credit_note_issued")]

    def __str__(self) -> str:
        return self.number or self.credit_note_id

    @property
    def credited_minor(self) -> int:
        """What went back without a refund."""
        return self.to_balance_minor + self.elsewhere_minor
