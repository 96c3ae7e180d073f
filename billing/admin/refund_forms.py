"""The form on which staff ask for a refund."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from billing.errors import InvalidAmount
from billing.money import major_units, minor_units, parse_positive_credits
from billing.selectors.refunds import Refundable
from billing.services.refunds import REASONS


class RefundForm(forms.Form):
    """How much money goes back, and why. `form_key` makes a second sending of this form the same intent."""

    amount = forms.CharField(
        max_length=30,
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal", "autocomplete": "off"}),
    )
    reason_code = forms.ChoiceField(
        label="Reason", choices=[(reason.value, reason.label) for reason in REASONS], widget=UnfoldAdminSelectWidget
    )
    note = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="For colleagues and the audit log.",
    )
    ticket = forms.URLField(
        required=False,
        max_length=500,
        assume_scheme="https",
        widget=UnfoldAdminTextInputWidget({"placeholder": "https://", "autocomplete": "off"}),
        help_text="Where it was asked for, if anywhere.",
    )
    form_key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def __init__(self, *args: Any, refundable: Refundable, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = refundable.currency
        self.fields["amount"].label = f"Amount in {refundable.currency.upper()}"
        proposed = refundable.proposed_minor or None
        self.fields["amount"].initial = (
            str(major_units(amount_minor=proposed, currency=refundable.currency)) if proposed else ""
        )

    def clean_amount(self) -> int:
        """The amount in minor units.

        Raises:
            ValidationError: it is no amount of this currency, or not above zero.
        """
        try:
            amount: Decimal = parse_positive_credits(str(self.cleaned_data["amount"]).replace(",", "").strip())
            return minor_units(amount=amount, currency=self.currency)
        except InvalidAmount as fault:
            raise forms.ValidationError(str(fault)) from fault
