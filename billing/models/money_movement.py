"""What was collected and given back for a payment, step by step: the ground of the books."""

from django.db import models
from django.db.models import Q

from billing.models.ledger_entry import LedgerEntry
from billing.models.payment import Payment
from billing.models.triggers import append_only


class MoneyMovement(models.Model):
    """The sums of a payment after a change of one of them; the change is the difference to the row before. Append-only.

    It names the first ledger entry that was posted with it. Money can move without credits: paid and not matching
    our offer, say.
    """

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="money_movements", db_index=False)
    number = models.PositiveIntegerField(help_text="Counts the payment's movements from 1 without a gap.")
    collected_minor = models.BigIntegerField(help_text="Collected so far, tax included.")
    tax_minor = models.BigIntegerField(help_text="Tax in what was collected.")
    given_back_minor = models.BigIntegerField(help_text="Refunded, credited or withdrawn so far, tax included.")
    from_balance_minor = models.BigIntegerField(
        default=0, help_text="What came out of the customer's balance at Stripe; below zero: what went into it."
    )
    currency = models.CharField(max_length=3)
    entry = models.ForeignKey(
        LedgerEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="money_movements"
    )
    occurred_at = models.DateTimeField(help_text="When it happened at Stripe.")
    created_at = models.DateTimeField(help_text="When it was recorded.")

    class Meta:
        verbose_name = "money movement"
        constraints = [
            models.UniqueConstraint(fields=["payment", "number"], name="billing_movement_number"),
            models.CheckConstraint(
                condition=Q(collected_minor__gte=0, given_back_minor__gte=0, tax_minor__gte=0)
                & Q(given_back_minor__lte=models.F("collected_minor"), tax_minor__lte=models.F("collected_minor")),
                name="billing_movement_sums_in_bounds",
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="billing_movement_created")]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.payment_id}:{self.number}"
