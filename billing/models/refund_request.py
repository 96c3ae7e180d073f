"""Refunds that staff ask Stripe for."""

from django.db import models
from django.db.models import Case, Q, Value, When

from billing.models.approval import Approval
from billing.models.fields import new_public_id
from billing.models.payment import Payment


def new_refund_request_id() -> str:
    return new_public_id("rreq")


class RefundRequestState(models.TextChoices):
    """How far a refund request has come."""

    WAITING = "waiting", "Waits for approval"
    READY = "ready", "Ready to be sent"
    SENT = "sent", "Sent, answer unknown"
    ACCEPTED = "accepted", "Accepted by Stripe"
    REFUSED = "refused", "Refused by Stripe"
    DECLINED = "declined", "Declined"
    EXPIRED = "expired", "Expired"


class RefundRequest(Approval):
    """A refund to be made at Stripe. Its effect on credits comes with Stripe's events, like that of any refund."""

    public_id = models.CharField(max_length=40, unique=True, default=new_refund_request_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refund_requests")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    form_key = models.CharField(max_length=100, help_text="One form, one request.")
    stripe_idempotency_key = models.CharField(max_length=100, unique=True)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When Stripe was called first; stored before.")
    answered_at = models.DateTimeField(null=True, blank=True)
    refund_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    refusal = models.CharField(max_length=500, blank=True, help_text="Why Stripe refused.")
    state = models.GeneratedField(
        expression=Case(
            When(refund_id__isnull=False, then=Value("accepted")),
            When(~Q(refusal=""), then=Value("refused")),
            When(decision="declined", then=Value("declined")),
            When(decision="expired", then=Value("expired")),
            When(sent_at__isnull=False, then=Value("sent")),
            When(needs_approval=True, decision="", then=Value("waiting")),
            default=Value("ready"),
        ),
        output_field=models.CharField(max_length=10, choices=RefundRequestState.choices),
        db_persist=True,
    )

    class Meta(Approval.Meta):
        verbose_name = "refund request"
        permissions = [
            ("request_refunds", "Can refund payments within the limits"),
            ("approve_refunds", "Can approve refunds of others"),
        ]
        constraints = [
            *Approval.Meta.constraints,
            models.UniqueConstraint(fields=["requested_by", "form_key"], name="billing_refundrequest_form"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="billing_refundrequest_amount_positive"),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(needs_approval=False) | Q(decision="approved"),
                name="billing_refundrequest_sent_is_approved",
            ),
        ]
        indexes = [
            models.Index(fields=["-requested_at"], name="billing_refundrequest_asked"),
            models.Index(
                fields=["sent_at"],
                name="billing_refundrequest_open",
                condition=Q(refund_id__isnull=True, refusal=""),
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
