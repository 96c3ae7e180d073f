"""The form by which staff say what was charged wrong."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from billing.models import PricingConfig
from usage.selectors.corrections import CorrectionTerms


class CorrectionForm(forms.Form):
    """Whose calls, from when to when (UTC), by which version of the price, and why."""

    model = forms.CharField(
        max_length=120,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text="The model that was called, spelled as in the list of usage.",
    )
    since = forms.SplitDateTimeField(widget=UnfoldAdminSplitDateTimeWidget, help_text="Calls from then on, UTC.")
    until = forms.SplitDateTimeField(widget=UnfoldAdminSplitDateTimeWidget, help_text="Calls before this time, UTC.")
    price = forms.ModelChoiceField(
        queryset=PricingConfig.objects.order_by("model", "-effective_from"),
        widget=UnfoldAdminSelectWidget,
        label="Charge as",
        help_text="The version of the price that is right for all of them.",
    )
    reason = forms.CharField(
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Kept with the correction.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].initial = timezone.now()

    def clean(self) -> dict[str, Any]:
        """Both ends, the later one last."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until <= since:
            self.add_error("until", "The end must be later than the beginning.")
        return cleaned

    def terms(self) -> CorrectionTerms:
        """What is asked for, once the form is valid."""
        given = self.cleaned_data
        return CorrectionTerms(model=given["model"], since=given["since"], until=given["until"], price=given["price"])
