"""One immutable movement of credits."""

from django.db import models
from django.db.models import Q

from billing.kinds import UNDONE_BY_MONEY, EntryKind
from billing.models.customer import BillingCustomer
from billing.models.fields import CreditsField
from billing.models.notice_triggers import announce_claw_backs
from billing.models.triggers import append_only
from billing.money import format_credits

_LABELS = {EntryKind.SIGNUP_BONUS: "Sign-up bonus", EntryKind.AUTO_TOP_UP: "Automatic top-up"}
KIND_CHOICES = [(kind.value, _LABELS.get(kind, kind.value.replace("_", " ").capitalize())) for kind in EntryKind]


class LedgerEntry(models.Model):
    """A signed movement of credits and the balance after it. Appended by `billing.ledger`, never changed."""

    # No index of their own for most links: entries are found by customer and sequence, or by customer and key.
    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="entries", db_index=False)
    sequence = models.BigIntegerField(help_text="Counts the customer's entries from 1 without a gap.")
    kind = models.CharField(max_length=20, choices=KIND_CHOICES)
    amount = CreditsField(help_text="Positive in, negative out, never zero.")
    balance_after = CreditsField()
    idempotency_key = models.CharField(max_length=300)
    request_hash = models.CharField(max_length=64)
    description = models.CharField(max_length=500, blank=True)
    occurred_at = models.DateTimeField(help_text="When it happened in the world.")
    created_at = models.DateTimeField(help_text="When it was recorded.")
    payment = models.ForeignKey(
        "billing.Payment", null=True, blank=True, on_delete=models.PROTECT, related_name="entries", db_index=False
    )
    plan_period = models.ForeignKey(
        "billing.PlanPeriod", null=True, blank=True, on_delete=models.PROTECT, related_name="entries", db_index=False
    )
    hold = models.ForeignKey(
        "billing.CreditHold", null=True, blank=True, on_delete=models.PROTECT, related_name="entries", db_index=False
    )
    corrects = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="corrections", db_index=False
    )
    is_late = models.BooleanField(default=False, help_text="Settled after its hold had expired.")
    source_type = models.CharField(max_length=40, blank=True, help_text="What caused it in an app above, as text.")
    source_id = models.CharField(max_length=100, blank=True)

    class Meta:
        verbose_name = "ledger entry"
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["customer", "sequence"], name="billing_entry_sequence"),
            models.UniqueConstraint(fields=["customer", "idempotency_key"], name="billing_entry_key"),
            models.CheckConstraint(condition=~Q(amount=0), name="billing_entry_amount_not_zero"),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="billing_entry_sequence_from_one"),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in EntryKind]), name="billing_entry_kind_known"
            ),
        ]
        indexes = [
            # Usage has no payment, so spending does not pay for this one.
            models.Index(fields=["payment"], name="billing_entry_payment", condition=Q(payment__isnull=False)),
            models.Index(fields=["plan_period"], name="billing_entry_plan", condition=Q(plan_period__isnull=False)),
            models.Index(
                fields=["customer", "sequence"],
                name="billing_entry_claw_backs",
                condition=Q(kind__in=sorted(kind.value for kind in UNDONE_BY_MONEY)),
            ),
        ]
        triggers = [*append_only(), announce_claw_backs()]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {format_credits(self.amount, signed=True)}"
