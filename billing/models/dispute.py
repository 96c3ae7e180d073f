"""Disputes of a payment, the money they moved, and early warnings of fraud."""

from django.db import models

from billing.models.payment import Payment


class PaymentDispute(models.Model):
    """A dispute at Stripe. What it has withdrawn follows from its movements; its status can go both ways."""

    dispute_id = models.CharField(max_length=255, unique=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=40)
    status_read_at = models.DateTimeField(help_text="When the reading of that status began; an earlier one is dropped.")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "dispute"
        indexes = [models.Index(fields=["-opened_at"], name="billing_dispute_opened")]

    def __str__(self) -> str:
        return self.dispute_id


class DisputeMovement(models.Model):
    """A balance transaction of a dispute: money withdrawn (below zero) or reinstated. Its fee is not the customer's."""

    balance_transaction_id = models.CharField(max_length=255, unique=True)
    dispute = models.ForeignKey(PaymentDispute, on_delete=models.PROTECT, related_name="movements")
    amount_minor = models.BigIntegerField(help_text="In the currency of Stripe's balance.")
    occurred_at = models.DateTimeField()

    class Meta:
        verbose_name = "dispute movement"

    def __str__(self) -> str:
        return self.balance_transaction_id


class FraudWarning(models.Model):
    """An early fraud warning of a card network about a payment."""

    warning_id = models.CharField(max_length=255, unique=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="fraud_warnings")
    fraud_type = models.CharField(max_length=100, blank=True)
    warned_at = models.DateTimeField()

    class Meta:
        verbose_name = "fraud warning"
        indexes = [models.Index(fields=["-warned_at"], name="billing_warning_warned")]

    def __str__(self) -> str:
        return self.warning_id
