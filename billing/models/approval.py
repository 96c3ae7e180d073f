"""What a second person may have to decide."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Decision(models.TextChoices):
    """What was decided."""

    WAITING = "", "Waiting"
    APPROVED = "approved", "Approved"
    DECLINED = "declined", "Declined"
    EXPIRED = "expired", "Expired"


class ReasonCode(models.TextChoices):
    """Why staff give or take credits or money."""

    GOODWILL = "goodwill", "Goodwill"
    OUTAGE = "outage", "Outage"
    CORRECTION = "correction", "Correction"
    PROMOTION = "promotion", "Promotion"
    MIGRATION = "migration", "Migration"
    WRITE_OFF = "write_off", "Write-off"
    OTHER = "other", "Other"


class Approval(models.Model):
    """A wish of staff. Below the limits it needs nobody else; above, a second person decides within a day."""

    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    reason_code = models.CharField(max_length=20, choices=ReasonCode.choices)
    note = models.CharField(max_length=500)
    ticket = models.URLField(max_length=500, blank=True)
    needs_approval = models.BooleanField()
    limit_reason = models.CharField(max_length=300, blank=True, help_text="Which limit asks for a second person.")
    decide_until = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who decided, whichever way.",
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=10, choices=Decision.choices, blank=True)
    decision_note = models.CharField(max_length=500, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("requested_by")),
                name="%(app_label)s_%(class)s_decided_by_another",
            ),
            models.CheckConstraint(
                condition=Q(needs_approval=False) | ~Q(decision="approved") | Q(approved_by__isnull=False),
                name="%(app_label)s_%(class)s_approval_has_a_person",
            ),
            models.CheckConstraint(
                condition=Q(decision="", decided_at__isnull=True) | (~Q(decision="") & Q(decided_at__isnull=False)),
                name="%(app_label)s_%(class)s_decision_has_a_time",
            ),
        ]
