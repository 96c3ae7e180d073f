"""The forms of a customer's page."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from billing.admin.forms import ReasonForm
from billing.errors import InvalidAmount
from billing.models import CustomerFlag, CustomerNote
from billing.money import format_credits, parse_credits
from billing.services.overdraft import MAX_OVERDRAFT


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


class OverdraftForm(ReasonForm):
    """How far below zero usage may go, and why."""

    limit = forms.CharField(
        label="Overdraft",
        max_length=30,
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal", "autocomplete": "off"}),
        help_text="In credits: so far below zero may debits and holds take the balance. 0 is none.",
    )
    field_order = ("limit", "reason")

    def clean_limit(self) -> Decimal:
        """The limit in credits.

        Raises:
            ValidationError: it is no amount of credits, negative, or more than an overdraft may be.
        """
        try:
            limit = parse_credits(str(self.cleaned_data["limit"]).replace(",", "").strip())
        except InvalidAmount as fault:
            raise forms.ValidationError(str(fault)) from fault
        if not 0 <= limit <= MAX_OVERDRAFT:
            raise forms.ValidationError(f"Give credits from 0 to {format_credits(MAX_OVERDRAFT)}.")
        return limit


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
