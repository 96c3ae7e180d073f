"""A summary of a commit or a diff: a job that spends."""

from django.db import models
from django.db.models import Q

from billing.models.fields import CreditsField, new_public_id


class SummaryState(models.TextChoices):
    """Where the job is."""

    QUEUED = "queued", "Waiting"
    FETCHING = "fetching", "Reading the commit"
    SUMMARISING = "summarising", "Writing the summary"
    DONE = "done", "Done"
    FAILED = "failed", "Failed, not charged"


def new_summary_id() -> str:
    return new_public_id("sum")


class CommitSummary(models.Model):
    """One summary wanted by a customer. The same commit or diff is summarised and charged once."""

    public_id = models.CharField(max_length=40, unique=True, default=new_summary_id, editable=False)
    customer = models.ForeignKey("billing.BillingCustomer", on_delete=models.PROTECT, related_name="summaries")
    api_key = models.ForeignKey(
        "accounts.ApiKey", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the repository and commit, or of the diff.")
    repository = models.CharField(max_length=500, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=300, blank=True, help_text="The commit's subject, or what was pasted.")
    diff = models.TextField(blank=True, help_text="Kept until the summary is written.")
    files_changed = models.PositiveIntegerField(default=0)
    lines_added = models.PositiveIntegerField(default=0)
    lines_removed = models.PositiveIntegerField(default=0)
    model = models.CharField(max_length=120)
    state = models.CharField(max_length=12, choices=SummaryState.choices, default=SummaryState.QUEUED)
    summary = models.TextField(blank=True)
    failure_code = models.CharField(max_length=60, blank=True)
    failure = models.CharField(max_length=500, blank=True)
    estimated_credits = CreditsField(null=True)
    usage_event = models.OneToOneField(
        "usage.UsageEvent", null=True, blank=True, on_delete=models.PROTECT, related_name="summary"
    )
    tries = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True, help_text="When a worker took it last.")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "commit summary"
        verbose_name_plural = "commit summaries"
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "fingerprint"], name="usage_summary_once", condition=~Q(state="failed")
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-created_at"], name="usage_summary_newest"),
            models.Index(
                fields=["created_at"],
                name="usage_summary_open",
                condition=Q(state__in=["queued", "fetching", "summarising"]),
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.public_id
