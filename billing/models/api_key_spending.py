"""What an API key has spent in the present month."""

from django.db import models

from billing.models.fields import CreditsField


class ApiKeySpending(models.Model):
    """The row that a key's monthly limit is judged on. Whoever spends by the key writes it in the same transaction."""

    api_key = models.OneToOneField(
        "accounts.ApiKey", primary_key=True, on_delete=models.CASCADE, related_name="spending"
    )
    month = models.DateField(help_text="The first day of the UTC month that `spent` is of.")
    spent = CreditsField(default=0, help_text="Charged in that month, open holds not included.")

    class Meta:
        verbose_name = "spending of an API key"

    def __str__(self) -> str:
        return f"{self.spent} in {self.month:%Y-%m}"
