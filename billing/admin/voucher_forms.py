"""The form on which staff make vouchers."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from billing.admin.forms import MAX_NOTE_LENGTH
from billing.errors import InvalidAmount
from billing.money import parse_positive_credits
from billing.services.voucher_batches import MAX_CODES, MAX_LIFETIME_DAYS, MAX_USES, VoucherTerms

_MOMENT = {"type": "datetime-local"}


def _text(**attributes: str) -> UnfoldAdminTextInputWidget:
    return UnfoldAdminTextInputWidget({"autocomplete": "off", **attributes})


def _number(label: str, *, most: int, initial: int | None = None, help_text: str = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=initial is not None,
        min_value=1,
        max_value=most,
        initial=initial,
        widget=_text(inputmode="numeric"),
        help_text=help_text,
    )


class VoucherForm(forms.Form):
    """The terms of a batch. `form_id` makes a second sending of this form the same intent."""

    name = forms.CharField(max_length=100, widget=_text(), help_text="The customer reads it in the ledger.")
    credits = forms.CharField(
        max_length=30,
        widget=_text(inputmode="decimal"),
        help_text="What one use of one code brings: above zero, at most six decimal places.",
    )
    code_count = _number("Codes", most=MAX_CODES, initial=1, help_text=f"At most {MAX_CODES:,}.")
    uses_per_code = _number("Uses of each code", most=MAX_USES, initial=1, help_text="By all customers together.")
    uses_per_customer = _number("Uses by one customer", most=MAX_USES, initial=1)
    valid_from = forms.DateTimeField(
        label="Valid from (UTC)",
        required=False,
        widget=UnfoldAdminTextInputWidget(_MOMENT),
        help_text="Empty: from now.",
    )
    valid_until = forms.DateTimeField(
        label="Valid until (UTC)",
        required=False,
        widget=UnfoldAdminTextInputWidget(_MOMENT),
        help_text="Empty: the codes do not expire.",
    )
    lifetime_days = _number(
        "Days until the credits expire", most=MAX_LIFETIME_DAYS, help_text="Counted from the use. Empty: see below."
    )
    credits_expire_at = forms.DateTimeField(
        label="Or all credits expire at (UTC)",
        required=False,
        widget=UnfoldAdminTextInputWidget(_MOMENT),
        help_text="Both empty: the credits do not expire.",
    )
    note = forms.CharField(
        label="Why",
        max_length=MAX_NOTE_LENGTH,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="For colleagues: stays with the batch and in the audit log.",
    )
    form_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def clean_credits(self) -> Decimal:
        """What one use brings.

        Raises:
            ValidationError: it is no amount of credits, or not above zero.
        """
        try:
            return parse_positive_credits(str(self.cleaned_data["credits"]).replace(",", "").strip(), field="credits")
        except InvalidAmount as fault:
            raise forms.ValidationError(str(fault)) from fault

    def terms(self) -> VoucherTerms:
        """The terms of a valid form."""
        names = VoucherTerms.__dataclass_fields__
        return VoucherTerms(**{name: self.cleaned_data[name] for name in names})
