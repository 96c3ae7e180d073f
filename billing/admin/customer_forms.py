"""The forms of a customer's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget

from billing.admin.forms import ReasonForm
from billing.models import CustomerFlag, CustomerNote


class LiftFlagForm(ReasonForm):
    """Which flag is lifted, and why. Where only one stands, it is the one."""

    cause = forms.ChoiceField(label="Flag", widget=UnfoldAdminRadioSelectWidget)
    field_order = ("cause", "reason")

    def __init__(self, *args: Any, flags: Sequence[CustomerFlag], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.flags = flags
        field = self.fields["cause"]
        field.required = len(flags) > 1
        field.choices = [(flag.cause, _described(flag)) for flag in flags]  # type: ignore[attr-defined]
        if len(flags) == 1:
            field.initial = flags[0].cause

    def clean_cause(self) -> str:
        return self.cleaned_data["cause"] or self.flags[0].cause


class NoteForm(forms.ModelForm):  # type: ignore[type-arg]
    """What staff should know about the customer."""

    class Meta:
        model = CustomerNote
        fields = ("text",)
        labels = {"text": "Add a note"}
        help_texts = {"text": "For staff only. It stays as it is: nobody changes or deletes it."}
        widgets = {"text": UnfoldAdminTextareaWidget({"rows": 3})}


def _described(flag: CustomerFlag) -> str:
    return f"{'Freezes spending: ' if flag.freezes else ''}{flag.reason}"
