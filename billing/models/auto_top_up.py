"""A customer's automatic top-up, and what they have agreed to."""

from django.db import models
from django.db.models import Q

from billing.models.customer import BillingCustomer
from billing.models.fields import CreditsField
from billing.models.pack import CreditPack
from billing.models.triggers import append_only


class TopUpState(models.TextChoices):
    """Whether it may charge. Only the customer's consent leads to `on`."""

    OFF = "off", "Off"
    ON = "on", "On"
    PAUSED = "paused", "Paused"
    AUTHENTICATION_NEEDED = "authentication_needed", "Needs authentication"


class TopUpCause(models.TextChoices):
    """Why it is not on."""

    NEVER_SET_UP = "never_set_up", "Never set up"
    CUSTOMER = "customer", "Turned off by the customer"
    STAFF = "staff", "Turned off by staff"
    DECLINED = "declined", "The card was declined three times in a row"
    AUTHENTICATION = "authentication", "The bank wants the customer to authenticate"
    REFUSED = "refused", "Stripe refused the payment"
    DISPUTE = "dispute", "A payment was disputed"
    FRAUD_WARNING = "fraud_warning", "The card network warned of fraud"
    REFUND = "refund", "A payment was refunded"
    TERMS_CHANGED = "terms_changed", "The pack was changed"
    PACK_GONE = "pack_gone", "The pack is not sold any more"
    CARD_CHANGED = "card_changed", "Another card was saved"
    CARD_REMOVED = "card_removed", "The card was removed"
    CUSTOMER_GONE = "customer_gone", "The customer at Stripe was deleted"
    ACCOUNT_CLOSED = "account_closed", "The account was closed"
    LIMIT_TOO_LOW = "limit_too_low", "With tax one pack costs more than the limit"


class TopUpConsent(models.Model):
    """What a customer agreed to: the words that were shown, and the terms in them. Appended, never changed."""

    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="top_up_consents")
    given_at = models.DateTimeField()
    wording = models.TextField(help_text="Exactly as it was shown.")
    language = models.CharField(max_length=20)
    pack = models.ForeignKey(CreditPack, on_delete=models.PROTECT, related_name="+")
    description = models.CharField(max_length=200)
    credits = CreditsField()
    bonus_credits = CreditsField(default=0)
    amount_minor = models.BigIntegerField(help_text="Of one top-up, before tax.")
    currency = models.CharField(max_length=3)
    lifetime_days = models.PositiveIntegerField(null=True, blank=True)
    is_taxed = models.BooleanField(default=False, help_text="Whether tax is added where it is due.")
    threshold = CreditsField()
    ceiling_minor = models.BigIntegerField(help_text="For all top-ups of a UTC month.")
    stripe_customer_id = models.CharField(max_length=255)
    payment_method_id = models.CharField(max_length=255)
    card = models.CharField(max_length=60, help_text="Brand and last four digits.")

    class Meta:
        verbose_name = "top-up consent"
        constraints = [
            models.CheckConstraint(
                condition=Q(threshold__gt=0, amount_minor__gt=0, ceiling_minor__gte=models.F("amount_minor")),
                name="billing_top_up_consent_amounts",
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.description}, {self.given_at:%Y-%m-%d %H:%M}"


class AutoTopUp(models.Model):
    """The settings and the state of a customer's automatic top-up. Changed under the balance's lock alone.

    While it is on, the balance's `top_up_below` is its threshold, and at no other time is there one.
    """

    customer = models.OneToOneField(
        BillingCustomer, primary_key=True, on_delete=models.PROTECT, related_name="auto_top_up"
    )
    state = models.CharField(max_length=30, choices=TopUpState.choices, default=TopUpState.OFF)
    cause = models.CharField(max_length=30, choices=TopUpCause.choices, blank=True, default=TopUpCause.NEVER_SET_UP)
    detail = models.CharField(max_length=500, blank=True, help_text="What Stripe or staff said about it.")
    changed_at = models.DateTimeField(auto_now_add=True)
    consent = models.ForeignKey(TopUpConsent, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    # The saved card, as Stripe knows it.
    payment_method_id = models.CharField(max_length=255, blank=True)
    card_brand = models.CharField(max_length=30, blank=True)
    card_last_four = models.CharField(max_length=4, blank=True)
    card_exp_month = models.PositiveSmallIntegerField(null=True, blank=True)
    card_exp_year = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = "automatic top-up"
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="on") | (Q(consent__isnull=False, cause="") & ~Q(payment_method_id="")),
                name="billing_top_up_on_with_consent",
            ),
            models.CheckConstraint(condition=Q(state="on") | ~Q(cause=""), name="billing_top_up_cause"),
        ]

    def __str__(self) -> str:
        return self.get_state_display()
