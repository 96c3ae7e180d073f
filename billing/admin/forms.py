"""The forms of staff that do something to a customer or to events."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

from django import forms
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from billing.errors import InvalidAmount
from billing.money import parse_positive_credits

CREDIT, DEBIT = "credit", "debit"


class ReasonForm(forms.Form):
    """Why it is done."""

    reason = forms.CharField(
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Kept with the change.",
    )


class AdjustmentForm(forms.Form):
    """How many credits to give or take, and why. `form_id` makes a second sending of this form the same intent."""

    direction = forms.ChoiceField(
        choices=[(CREDIT, "Give credits"), (DEBIT, "Take credits")],
        initial=CREDIT,
        widget=UnfoldAdminRadioSelectWidget,
    )
    amount = forms.CharField(
        max_length=30,
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal", "autocomplete": "off"}),
        help_text="In credits, above zero, at most six decimal places.",
    )
    reason = forms.CharField(
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="The customer reads it in the ledger.",
    )
    form_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def clean_amount(self) -> Decimal:
        """The amount without its sign.

        Raises:
            ValidationError: it is no amount of credits, or not above zero.
        """
        try:
            return parse_positive_credits(str(self.cleaned_data["amount"]).replace(",", "").strip())
        except InvalidAmount as fault:
            raise forms.ValidationError(str(fault)) from fault

    def signed_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        return amount if self.cleaned_data["direction"] == CREDIT else -amount
