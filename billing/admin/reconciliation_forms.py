"""The form by which staff start a comparison with Stripe."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldBooleanWidget


class RunForm(forms.Form):
    """Which window of time, in UTC, and whether to repair."""

    since = forms.SplitDateTimeField(widget=UnfoldAdminSplitDateTimeWidget, help_text="Made then or later, UTC.")
    until = forms.SplitDateTimeField(
        widget=UnfoldAdminSplitDateTimeWidget, required=False, help_text="Made before this time; empty is now."
    )
    repairs = forms.BooleanField(
        label="Repair what can be repaired",
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
        help_text="Payments are read at Stripe and converged, as their webhooks would have done. Nothing is edited.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["since"].initial = timezone.now() - timedelta(hours=48)

    def clean(self) -> dict[str, Any]:
        """Both ends, the later one last."""
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until <= since:
            self.add_error("until", "The end must be later than the beginning.")
        return cleaned
