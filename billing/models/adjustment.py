"""Credits that staff give, take or write off by hand."""

from django.db import models
from django.db.models import Case, Q, Value, When

from billing.models.approval import Approval
from billing.models.customer import BillingCustomer
from billing.models.fields import CreditsField, new_public_id
from billing.models.ledger_entry import LedgerEntry
from billing.money import format_credits


def new_adjustment_id() -> str:
    return new_public_id("adj")


class AdjustmentState(models.TextChoices):
    """How far an adjustment has come."""

    WAITING = "waiting", "Waits for approval"
    POSTED = "posted", "Posted"
    DECLINED = "declined", "Declined"
    EXPIRED = "expired", "Expired"


class Adjustment(Approval):
    """A manual credit (positive), debit (negative) or write-off of a debt, with its reason and who decided."""

    public_id = models.CharField(max_length=40, unique=True, default=new_adjustment_id, editable=False)
    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="adjustments")
    amount = CreditsField(help_text="Signed: positive gives, negative takes.")
    is_write_off = models.BooleanField(default=False, help_text="Gives up a debt instead of giving credits.")
    may_leave_debt = models.BooleanField(default=False, help_text="An approved debit may go below zero.")
    form_key = models.CharField(max_length=100, help_text="One form, one adjustment.")
    entry = models.OneToOneField(
        LedgerEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="adjustment"
    )
    state = models.GeneratedField(
        expression=Case(
            When(entry__isnull=False, then=Value("posted")),
            When(decision="declined", then=Value("declined")),
            When(decision="expired", then=Value("expired")),
            default=Value("waiting"),
        ),
        output_field=models.CharField(max_length=10, choices=AdjustmentState.choices),
        db_persist=True,
    )

    class Meta(Approval.Meta):
        permissions = [("approve_credits", "Can approve credits of others")]
        constraints = [
            *Approval.Meta.constraints,
            models.UniqueConstraint(fields=["requested_by", "form_key"], name="billing_adjustment_form"),
            models.CheckConstraint(condition=~Q(amount=0), name="billing_adjustment_amount_not_zero"),
            models.CheckConstraint(
                condition=Q(is_write_off=False) | Q(amount__gt=0), name="billing_adjustment_write_off_gives"
            ),
            models.CheckConstraint(
                condition=Q(entry__isnull=True) | Q(needs_approval=False) | Q(decision="approved"),
                name="billing_adjustment_posted_is_approved",
            ),
        ]
        indexes = [
            models.Index(fields=["requested_by", "requested_at"], name="billing_adjustment_person_day"),
            models.Index(fields=["-requested_at"], name="billing_adjustment_requested"),
            models.Index(
                fields=["decide_until"],
                name="billing_adjustment_waiting",
                condition=Q(needs_approval=True, decision=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {format_credits(self.amount, signed=True)}"


class AdjustmentDay(models.Model):
    """One row per UTC day: the lock under which the limits of a day are counted."""

    day_on = models.DateField(primary_key=True)

    def __str__(self) -> str:
        return str(self.day_on)
