"""Whom invoices are made out to, as people type it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.countries import COUNTRIES
from billing.gateway.billing_details import Address, BillingDetailsFacts
from billing.services.billing_details import BillingDetails

_IF_ANY = _("Empty if your addresses have none.")


def _text(label: Any, *, purpose: str, longest: int = 200, help_text: Any = "", required: bool = True) -> Any:
    """A line of text; `purpose` is what browsers fill in (autocomplete)."""
    widget = forms.TextInput(attrs={"autocomplete": purpose})
    return forms.CharField(label=label, max_length=longest, required=required, help_text=help_text, widget=widget)


class BillingDetailsForm(forms.Form):
    """Name, address and tax number. Saving them judges the number, and Stripe judges all of it."""

    name = _text(_("Name or company"), purpose="billing organization")
    email = forms.EmailField(
        label=_("E-mail for invoices"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "billing email"}),
    )
    country = forms.ChoiceField(
        label=_("Country"),
        choices=[("", _("Choose")), *COUNTRIES.items()],
        widget=forms.Select(attrs={"autocomplete": "billing country"}),
    )
    line1 = _text(_("Street and number"), purpose="billing address-line1")
    line2 = _text(_("Address, second line"), purpose="billing address-line2", help_text=_("Optional."), required=False)
    postal_code = _text(_("Postal code"), purpose="billing postal-code", longest=20, help_text=_IF_ANY, required=False)
    city = _text(_("City"), purpose="billing address-level2", longest=100)
    state = _text(
        _("State or province"), purpose="billing address-level1", longest=100, help_text=_IF_ANY, required=False
    )
    tax_number = _text(
        _("VAT or tax number"),
        purpose="off",
        longest=40,
        help_text=_("Of a business, as its country writes it, such as ATU12345678. Empty if you have none."),
        required=False,
    )
    shown_tax_id = forms.CharField(max_length=255, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tax_number"].widget.attrs |= {"spellcheck": "false", "autocapitalize": "characters"}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for field, value in list(cleaned.items()):
            if isinstance(value, str) and value and not value.isprintable():
                self.add_error(field, _("Write it in one line of plain text."))
        return cleaned

    @property
    def details(self) -> BillingDetails:
        """What a valid form says."""
        given = self.cleaned_data
        return BillingDetails(
            name=given["name"],
            email=given["email"],
            address=Address(**{part: given[part] for part in Address.__dataclass_fields__}),
            tax_number=given["tax_number"],
            shown_tax_id=given["shown_tax_id"],
        )

    @staticmethod
    def initial_of(found: BillingDetailsFacts | None, *, email: str) -> dict[str, str]:
        """What to begin with: what is on file, else the address of the account."""
        if found is None:
            return {"email": email}
        number = found.tax_ids[0] if found.tax_ids else None
        return {
            "name": found.name,
            "email": found.email or email,
            **{part: getattr(found.address, part) for part in Address.__dataclass_fields__},
            "tax_number": number.value if number else "",
            "shown_tax_id": number.id if number else "",
        }
