"""The forms by which staff make and revoke API keys."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MinValueValidator
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.models import Scope, User


class RevokeForm(forms.Form):
    """Why the key ends."""

    reason = forms.CharField(
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Kept with the act.",
    )


class KeyForm(forms.Form):
    """Whose key, and what it may do."""

    email = forms.EmailField(
        label="User",
        widget=UnfoldAdminTextInputWidget({"inputmode": "email", "autocomplete": "off"}),
        help_text="The e-mail address of the person who gets the key and answers for it.",
    )
    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}))
    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)
    monthly_limit = forms.DecimalField(
        required=False,
        max_digits=22,
        decimal_places=6,
        validators=[MinValueValidator(1)],
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal", "autocomplete": "off"}),
        help_text="Credits a UTC month; empty is no limit.",
    )
    expires_at = forms.SplitDateTimeField(
        required=False, widget=UnfoldAdminSplitDateTimeWidget, help_text="UTC; empty is never."
    )
    reason = forms.CharField(
        max_length=300, widget=UnfoldAdminTextareaWidget({"rows": 3}), help_text="Kept with the act."
    )
    token = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, actor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor
        self.user: User | None = None

    def clean_email(self) -> str:
        """The address of an active user whose rights the actor may lend.

        Raises:
            ValidationError: there is none, or it is another member of staff, whose rights the key would have.
        """
        address = str(self.cleaned_data["email"])
        self.user = User.objects.filter(email__iexact=address, is_active=True).first()
        if self.user is None:
            raise forms.ValidationError("Nobody active has this address. Give the address that they log in with.")
        if self.user.is_staff and self.user != self.actor and not self.actor.is_superuser:
            raise forms.ValidationError(
                "A key of another member of staff would have their rights: a superuser makes it."
            )
        return address

    def clean_expires_at(self) -> Any:
        moment = self.cleaned_data["expires_at"]
        if moment is not None and moment <= timezone.now():
            raise forms.ValidationError("The key would have ended already. Give a time to come.")
        return moment
