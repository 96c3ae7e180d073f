"""The forms of staff that do something to a customer or to events."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from billing.errors import InvalidAmount
from billing.models import ReasonCode
from billing.money import parse_positive_credits

CREDIT, DEBIT = "credit", "debit"
MAX_NOTE_LENGTH = 500


class ReasonForm(forms.Form):
    """Why it is done."""

    reason = forms.CharField(
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Kept with the change.",
    )


class DecisionForm(forms.Form):
    """What the second person says to a request; needed where it is declined."""

    note = forms.CharField(
        max_length=MAX_NOTE_LENGTH,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Kept with the decision, and shown to whoever asked.",
    )

    def __init__(self, *args: Any, is_note_needed: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].required = is_note_needed


class CreditsForm(forms.Form):
    """How many credits and why. `form_id` makes a second sending of this form the same intent."""

    amount = forms.CharField(
        max_length=30,
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal", "autocomplete": "off"}),
        help_text="In credits, above zero, at most six decimal places.",
    )
    note = forms.CharField(
        max_length=MAX_NOTE_LENGTH,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="The customer reads it in the ledger.",
    )
    ticket = forms.URLField(
        required=False,
        max_length=500,
        assume_scheme="https",
        widget=UnfoldAdminTextInputWidget({"inputmode": "url", "placeholder": "https://…", "autocomplete": "off"}),
        help_text="The address of the ticket, for colleagues. Not shown to the customer.",
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

    def clean_ticket(self) -> str:
        ticket = str(self.cleaned_data["ticket"])
        if ticket and not ticket.startswith("https://"):
            raise forms.ValidationError("Give an address that begins with https://.")
        return ticket

    def signed_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        return amount

    def chosen_reason(self) -> str:
        """Why, as a word of the list."""
        return str(self.cleaned_data["reason_code"])

    def may_leave_debt(self) -> bool:
        return False


class AdjustmentForm(CreditsForm):
    """Credits to give or to take."""

    direction = forms.ChoiceField(
        choices=[(CREDIT, "Give credits"), (DEBIT, "Take credits")],
        initial=CREDIT,
        widget=UnfoldAdminRadioSelectWidget,
    )
    reason_code = forms.ChoiceField(
        label="Reason",
        choices=[choice for choice in ReasonCode.choices if choice[0] != ReasonCode.WRITE_OFF],
        widget=UnfoldAdminSelectWidget,
    )
    leave_debt = forms.BooleanField(
        label="May leave a debt",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="Take more than is available. A second person always decides about that.",
    )
    field_order = ("direction", "amount", "reason_code", "note", "ticket", "leave_debt", "form_id")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("leave_debt") and cleaned.get("direction") == CREDIT:
            self.add_error("leave_debt", "Only taking credits can leave a debt.")
        return cleaned

    def signed_amount(self) -> Decimal:
        amount = super().signed_amount()
        return amount if self.cleaned_data["direction"] == CREDIT else -amount

    def may_leave_debt(self) -> bool:
        return bool(self.cleaned_data["leave_debt"])


class WriteOffForm(CreditsForm):
    """How much of a debt to give up."""

    field_order = ("amount", "note", "ticket", "form_id")

    def chosen_reason(self) -> str:
        return ReasonCode.WRITE_OFF.value
