"""Answers that the API gave, for those who ask again with the same key."""

from django.db import models
from django.utils import timezone


class IdempotentAnswer(models.Model):
    """The answer to a request, written in the database transaction of its effect."""

    scope = models.CharField(max_length=60, help_text="Whose keys these are: a customer's, or an API key's.")
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "answer kept for a replay"
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="billing_answer_key")]
        indexes = [models.Index(fields=["created_at"], name="billing_answer_age")]

    def __str__(self) -> str:
        return f"{self.status} for {self.key}"
