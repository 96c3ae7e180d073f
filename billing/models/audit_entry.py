"""What staff did, and the system on their behalf."""

from django.conf import settings
from django.db import models

from billing.models.customer import BillingCustomer
from billing.models.triggers import append_only


class AuditEntry(models.Model):
    """One act: who, what, on what, before, after, why, from where. Append-only."""

    at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    action = models.CharField(max_length=60, help_text="A noun and its verb: adjustment.approve, customer.freeze …")
    target_type = models.CharField(max_length=60, blank=True)
    target_id = models.CharField(max_length=100, blank=True)
    target_label = models.CharField(max_length=200, blank=True)
    customer = models.ForeignKey(
        BillingCustomer, null=True, blank=True, on_delete=models.PROTECT, related_name="audit_entries", db_index=False
    )
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    address = models.CharField(max_length=45, blank=True, help_text="The network address it came from.")

    class Meta:
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["-at"], name="billing_audit_at"),
            models.Index(fields=["customer", "-at"], name="billing_audit_customer"),
            models.Index(fields=["target_type", "target_id"], name="billing_audit_target"),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.action} {self.target_label}"
