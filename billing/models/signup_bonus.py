"""Who has had the sign-up bonus."""

from django.db import models

from billing.models.customer import BillingCustomer


class SignupBonus(models.Model):
    """The bonus given once per address. Addresses and networks are keyed hashes: they survive an erased account."""

    customer = models.OneToOneField(BillingCustomer, on_delete=models.PROTECT, related_name="signup_bonus")
    address_hash = models.CharField(max_length=64, unique=True)
    network_hash = models.CharField(max_length=64)
    granted_on = models.DateField()

    class Meta:
        verbose_name = "sign-up bonus"
        verbose_name_plural = "sign-up bonuses"
        indexes = [models.Index(fields=["network_hash", "granted_on"], name="billing_bonus_network")]

    def __str__(self) -> str:
        return f"{self.customer_id} on {self.granted_on}"
