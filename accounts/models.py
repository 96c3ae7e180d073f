"""Who is calling."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower


class UserManager(BaseUserManager["User"]):
    """Creates users who log in with an e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        if not email:
            raise ValueError("An e-mail address is needed.")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person who logs in with an e-mail address; two spellings of case are one address."""

    username = None  # type: ignore[assignment]  # the e-mail address is the login
    email = models.EmailField("e-mail address", unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="accounts_user_email_any_case"),
        ]

    def __str__(self) -> str:
        return self.email


class Scope(models.TextChoices):
    """What a key may do. Each is given by itself: `spend` does not include `read`."""

    READ = "read", "Read balance, entries and usage"
    SPEND = "spend", "Spend credits"
    CUSTOMERS = "customers", "Act for any customer"


class ApiKey(models.Model):
    """A name and a secret by which a program speaks for a user. Only the hash of the secret is kept."""

    key_id = models.CharField(max_length=20, unique=True, editable=False, help_text="The public part of the key.")
    prefix = models.CharField(max_length=20, editable=False, help_text="ppk_live or ppk_test.")
    secret_hash = models.CharField(max_length=64, editable=False, help_text="SHA-256 of the secret part, in hex.")
    last_four = models.CharField(max_length=4, editable=False)
    user = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="api_keys", help_text="Empty: nobody's, so dead."
    )
    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    monthly_limit = models.DecimalField(
        max_digits=22, decimal_places=6, null=True, blank=True, help_text="Credits a UTC month; empty: no limit."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")
    replaces = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="successors", help_text="By rotation."
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                condition=Q(monthly_limit__isnull=True) | Q(monthly_limit__gt=0), name="accounts_key_limit_positive"
            ),
            models.CheckConstraint(condition=~Q(scopes=[]), name="accounts_key_has_a_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}_{self.key_id}…{self.last_four})"

    def has_scope(self, scope: str) -> bool:
        return scope in self.scopes
