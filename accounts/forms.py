"""What people type about their API keys, checked."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Scope, User

LIFETIMES: Final = {"30": timedelta(days=30), "90": timedelta(days=90), "365": timedelta(days=365), "never": None}
MAX_LIMIT: Final = Decimal(10) ** 13


class NewKeyForm(forms.Form):
    """A key that somebody wants: its name, rights, end and limit. `customers` is offered to staff alone."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("What it is for, such as “Production server”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one right: a key without any is of no use.")},
    )
    lifetime = forms.ChoiceField(
        label=_("Expires"),
        initial="90",
        choices=[
            ("30", _("In 30 days")),
            ("90", _("In 90 days")),
            ("365", _("In a year")),
            ("never", _("Never")),
        ],
    )
    monthly_limit = forms.DecimalField(
        label=_("Monthly limit in credits"),
        required=False,
        max_digits=22,
        decimal_places=6,
        max_value=MAX_LIMIT,
        help_text=_("Optional. Requests beyond it are refused until the next month begins (UTC)."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    form_token = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = self.fields["scopes"]
        if isinstance(scopes, forms.MultipleChoiceField):
            offered = [scope for scope in Scope if scope != Scope.CUSTOMERS or user.is_staff]
            scopes.choices = [(scope.value, scope.label) for scope in offered]
            scopes.initial = [Scope.READ.value, Scope.SPEND.value]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise forms.ValidationError(_("Write the name in one line of plain text."))
        return name

    def clean_monthly_limit(self) -> Decimal | None:
        limit: Decimal | None = self.cleaned_data["monthly_limit"]
        if limit is not None and limit <= 0:
            raise forms.ValidationError(_("The limit is above zero. Leave it empty for none."))
        return limit

    def expires_at(self, *, now: datetime) -> datetime | None:
        """When a key of this valid form ends."""
        lifetime = LIFETIMES[self.cleaned_data["lifetime"]]
        return now + lifetime if lifetime else None


class RevokeKeyForm(forms.Form):
    """The name of a key, typed by who wants it to end."""

    confirmation = forms.CharField(
        label=_("Type the key's name to revoke it"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
        error_messages={"required": _("Type the key's name.")},
    )

    def __init__(self, *args: Any, key: ApiKey, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key = key

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if " ".join(typed.split()) != " ".join(self.key.name.split()):
            raise forms.ValidationError(
                _("This is not the key's name. Type “%(name)s”; nothing was revoked."), params={"name": self.key.name}
            )
        return typed
