"""Comparisons of our books with Stripe and with themselves, and what did not agree."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.models.customer import BillingCustomer
from billing.models.payment import Payment


class RunKind(models.TextChoices):
    """What was compared."""

    STRIPE = "stripe", "Stripe against the ledger"
    LEDGER = "ledger", "The ledger against itself"


class RunTrigger(models.TextChoices):
    """Who asked for a run."""

    COMMAND = "command", "Command"
    SCHEDULE = "schedule", "Schedule"
    STAFF = "staff", "Staff"


class RunState(models.TextChoices):
    """How a run ended."""

    RUNNING = "running", "Running"
    CLEAN = "clean", "Clean"
    REPAIRED = "repaired", "All repaired"
    FINDINGS = "findings", "Findings left"
    FAILED = "failed", "Failed"


class ReconciliationRun(models.Model):
    """One comparison over a window of time."""

    kind = models.CharField(max_length=10, choices=RunKind.choices)
    trigger = models.CharField(max_length=10, choices=RunTrigger.choices)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    customer = models.ForeignKey(BillingCustomer, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    repairs = models.BooleanField(default=False, help_text="Whether it was to repair what it can.")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.RUNNING)
    counts = models.JSONField(default=dict, blank=True, help_text="Objects compared, findings by kind, repairs.")
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = "reconciliation run"
        permissions = [("run_reconciliation", "Can start a reconciliation and repair findings")]
        indexes = [models.Index(fields=["kind", "-started_at"], name="billing_run_started")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.started_at:%Y-%m-%d %H:%M}"


class Severity(models.TextChoices):
    """How much a finding matters."""

    CRITICAL = "critical", "Critical"
    HIGH = "high", "High"
    MEDIUM = "medium", "Medium"
    LOW = "low", "Low"


class FindingState(models.TextChoices):
    """What became of a finding."""

    OPEN = "open", "Open"
    REPAIRED = "repaired", "Repaired"
    ACCEPTED = "accepted", "Accepted by staff"
    GONE = "gone", "No longer so"


class ReconciliationFinding(models.Model):
    """One thing that does not agree: both sides, how old it is, what would repair it. The same thing is one finding."""

    fingerprint = models.CharField(max_length=300, help_text="Kind and subject: what makes it the same finding.")
    kind = models.CharField(max_length=60)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    customer = models.ForeignKey(
        BillingCustomer, null=True, blank=True, on_delete=models.PROTECT, related_name="findings"
    )
    payment = models.ForeignKey(Payment, null=True, blank=True, on_delete=models.PROTECT, related_name="findings")
    stripe_id = models.CharField(max_length=255, blank=True)
    ours = models.JSONField(default=dict, blank=True)
    theirs = models.JSONField(default=dict, blank=True)
    detail = models.CharField(max_length=1000)
    suggested_repair = models.CharField(max_length=300, blank=True)
    occurred_at = models.DateTimeField(help_text="When what it is about happened: its age counts from there.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    last_run = models.ForeignKey(
        ReconciliationRun, null=True, blank=True, on_delete=models.PROTECT, related_name="findings"
    )
    state = models.CharField(max_length=10, choices=FindingState.choices, default=FindingState.OPEN)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    ended_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = "finding"
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"], condition=Q(state="open"), name="billing_finding_open_once"
            ),
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True) | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="billing_finding_end_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "severity"], name="billing_finding_state"),
            models.Index(fields=["fingerprint"], name="billing_finding_fingerprint"),
            models.Index(fields=["-first_seen_at"], name="billing_finding_seen"),
        ]

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ').capitalize()}: {self.detail}"[:120]
