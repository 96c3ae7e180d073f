"""The outbox of mails: each is a row before it is sent."""

from django.db import models
from django.db.models import Q

from billing.models.customer import BillingCustomer
from billing.models.fields import new_public_id
from billing.models.notice import Notice


def new_mail_id() -> str:
    return new_public_id("mail")


class MailState(models.TextChoices):
    """How far a mail has come."""

    PENDING = "pending", "Pending"
    SENT = "sent", "Sent"
    DEAD = "dead", "Dead"


class OutgoingMail(models.Model):
    """A mail to one address: of a notice, whose words are made when it is sent, or with words of its own."""

    public_id = models.CharField(max_length=40, unique=True, default=new_mail_id, editable=False)
    customer = models.ForeignKey(
        BillingCustomer,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="mails",
        help_text="Whom it is about",
    )
    notice = models.ForeignKey(
        Notice, null=True, blank=True, on_delete=models.PROTECT, related_name="mails", db_index=False
    )
    to = models.EmailField(max_length=320)
    kind = models.CharField(max_length=40, help_text="The notice's event, or what another mail is.")
    subject = models.CharField(max_length=300, blank=True, help_text="Of a notice: as it was sent.")
    text = models.TextField(blank=True, help_text="Of a notice: empty, its words follow from its payload.")
    created_at = models.DateTimeField(auto_now_add=True)

    state = models.CharField(max_length=10, choices=MailState.choices, default=MailState.PENDING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "mail"
        permissions = [("resend_mail", "Can send mails again")]
        constraints = [
            models.UniqueConstraint(fields=["notice", "to"], name="billing_mail_once"),
            models.CheckConstraint(
                condition=Q(state="pending", next_try_at__isnull=False) | ~Q(state="pending"),
                name="billing_mail_pending_is_due",
            ),
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False) | ~Q(state="sent"), name="billing_mail_sent_at"
            ),
            models.CheckConstraint(
                condition=Q(notice__isnull=False) | (~Q(subject="") & ~Q(text="")), name="billing_mail_has_words"
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="billing_mail_due", condition=Q(state="pending")),
            models.Index(fields=["-created_at"], name="billing_mail_created"),
            models.Index(fields=["created_at"], name="billing_mail_dead", condition=Q(state="dead")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"
