"""The one row per customer that every write locks."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from billing import conf
from billing.models.customer import BillingCustomer
from billing.models.fields import CreditsField
from billing.models.notice_triggers import announce_crossings


def usual_threshold() -> Decimal:
    return conf.low_balance_threshold()


class CreditBalance(models.Model):
    """A customer's balance. Written by `billing.ledger` alone, and locked by every write."""

    customer = models.OneToOneField(BillingCustomer, primary_key=True, on_delete=models.PROTECT, related_name="balance")
    posted = CreditsField(default=0, help_text="Sum of all entries; below zero it is a debt.")
    held = CreditsField(default=0, help_text="Sum of open holds.")
    overdraft_limit = CreditsField(default=0, help_text="How far below zero usage may take the balance.")
    last_sequence = models.BigIntegerField(default=0)
    next_expiry_at = models.DateTimeField(null=True, blank=True, help_text="When the next open grant lapses.")
    top_up_below = CreditsField(
        null=True, blank=True, help_text="Spending that takes what is available below it asks for an automatic top-up."
    )
    top_up_due_at = models.DateTimeField(null=True, blank=True, help_text="When an automatic top-up is to be decided.")
    frozen_at = models.DateTimeField(null=True, blank=True, help_text="Since when spending is refused.")
    frozen_reason = models.CharField(max_length=500, blank=True)
    low_threshold = CreditsField(default=usual_threshold, help_text="Below so many posted credits it is low.")
    was_told = models.BooleanField(
        default=False, db_default=False, help_text="A fall was announced, and no recovery yet; a trigger's."
    )

    class Meta:
        verbose_name = "balance"
        constraints = [
            models.CheckConstraint(condition=Q(held__gte=0), name="billing_balance_held_not_negative"),
            models.CheckConstraint(condition=Q(overdraft_limit__gte=0), name="billing_balance_overdraft_not_negative"),
            models.CheckConstraint(condition=Q(last_sequence__gte=0), name="billing_balance_sequence_not_negative"),
            models.CheckConstraint(
                condition=Q(top_up_due_at__isnull=True) | Q(top_up_below__isnull=False),
                name="billing_balance_top_up_armed",
            ),
            models.CheckConstraint(condition=Q(low_threshold__gte=0), name="billing_balance_threshold_not_negative"),
        ]
        indexes = [
            models.Index(
                fields=["top_up_due_at"], name="billing_balance_top_up_due", condition=Q(top_up_due_at__isnull=False)
            ),
        ]
        triggers = [announce_crossings()]

    def __str__(self) -> str:
        return f"{self.posted} posted, {self.held} held"
