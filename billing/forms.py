"""What people type into billing's pages, checked."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing import conf
from billing.kinds import EntryKind
from billing.money import major_units, minor_units


class CustomAmountForm(forms.Form):
    """An amount of US dollars that somebody wants credits for. Opening the checkout judges it again."""

    amount = forms.DecimalField(
        label=_("Amount in US dollars"),
        max_digits=9,
        decimal_places=2,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": "25"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        least_minor, most_minor = conf.custom_amount_limits_minor()
        self.least = major_units(amount_minor=least_minor, currency="usd").normalize()
        self.most = major_units(amount_minor=most_minor, currency="usd").normalize()

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if not self.least <= amount <= self.most:
            raise forms.ValidationError(
                _("Choose between $%(least)s and $%(most)s."),
                params={"least": f"{self.least:f}", "most": f"{self.most:f}"},
            )
        return amount

    @property
    def amount_minor(self) -> int:
        """The amount of a valid form in cents."""
        return minor_units(amount=self.cleaned_data["amount"], currency="usd")


class RedeemForm(forms.Form):
    """The code of a voucher, as it is typed. `form_key` makes a second sending of this form the same intent."""

    code = forms.CharField(
        label=_("Code"),
        max_length=100,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "placeholder": "XXXX-XXXX-XXXX-XXXX",
            }
        ),
        help_text=_("Capitals and dashes do not matter."),
    )
    form_key = forms.UUIDField(widget=forms.HiddenInput)


class LedgerFilterForm(forms.Form):
    """Which entries to show. Days are whole days in UTC, the last one included."""

    kind = forms.ChoiceField(label=_("Type"), required=False)
    since = forms.DateField(label=_("From (UTC)"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("To (UTC)"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, kind_labels: dict[EntryKind, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind = self.fields["kind"]
        if isinstance(kind, forms.ChoiceField):
            kind.choices = [("", _("All types")), *((value.value, label) for value, label in kind_labels.items())]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", _("This day lies before the first one."))
        return cleaned

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds chosen; none means all."""
        chosen = self.cleaned_data.get("kind")
        return (chosen,) if chosen else ()

    @property
    def since_at(self) -> datetime | None:
        """The moment from which entries are meant."""
        return _start_of(self.cleaned_data.get("since"))

    @property
    def until_at(self) -> datetime | None:
        """The moment before which entries are meant: the end of the last day."""
        until = self.cleaned_data.get("until")
        return _start_of(until + timedelta(days=1)) if until and until < date.max else None


def _start_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time.min, UTC) if day else None
