"""What people type into billing's pages, checked."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing import conf
from billing.errors import InvalidAmount
from billing.kinds import EntryKind
from billing.models import CreditPack
from billing.money import CREDIT_PLACES, format_credits, format_money, major_units, minor_units
from billing.notice_kinds import NoticeEvent
from billing.services.preferences import MAX_THRESHOLD

SWITCHABLE_LABELS = {
    NoticeEvent.BALANCE_LOW: _("My balance is low"),
    NoticeEvent.BALANCE_DEPLETED: _("My credits are used up"),
    NoticeEvent.CREDITS_EXPIRING: _("Credits expire in 30, 7 and 1 days"),
}


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


class TopUpForm(forms.Form):
    """Below which balance which pack is bought, and for how much money a month. The service judges what fits."""

    pack = forms.ChoiceField(label=_("Buy this pack"))
    threshold = forms.DecimalField(
        label=_("When I have fewer available credits than"),
        min_value=Decimal(1),
        max_digits=15,
        decimal_places=0,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        help_text=_("More than your largest single call costs, and less than the pack has."),
    )
    ceiling = forms.DecimalField(
        label=_("Charge at most, in a calendar month"),
        min_value=Decimal(0),
        max_digits=15,
        decimal_places=3,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=_("In the currency of the pack, and not less than its price. Tax counts, too."),
    )

    def __init__(self, *args: Any, packs: Sequence[CreditPack], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.packs = {pack.slug: pack for pack in packs}
        chosen = self.fields["pack"]
        if isinstance(chosen, forms.ChoiceField):
            chosen.choices = [(pack.slug, self._described(pack)) for pack in packs]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "ceiling" in cleaned and "pack" in cleaned:
            try:
                minor_units(amount=cleaned["ceiling"], currency=self.packs[cleaned["pack"]].currency)
            except InvalidAmount as refusal:
                self.add_error("ceiling", refusal.fault)
        return cleaned

    @property
    def ceiling_minor(self) -> int:
        """The monthly limit of a valid form in minor units of the pack's currency."""
        currency = self.packs[self.cleaned_data["pack"]].currency
        return minor_units(amount=self.cleaned_data["ceiling"], currency=currency)

    @staticmethod
    def shown_money(*, amount_minor: int, currency: str) -> str:
        """An amount as people type it."""
        amount = major_units(amount_minor=amount_minor, currency=currency)
        return f"{amount:f}"

    @staticmethod
    def _described(pack: CreditPack) -> str:
        price = format_money(amount_minor=pack.price_minor, currency=pack.currency)
        return _("%(credits)s credits for %(price)s") % {
            "credits": format_credits(pack.credits + pack.bonus_credits),
            "price": price,
        }


class NoticeSettingsForm(forms.Form):
    """Which mails somebody wants, and below how many credits their balance is low."""

    threshold = forms.DecimalField(
        label=_("Call my balance low below so many credits"),
        required=False,
        min_value=0,
        max_value=MAX_THRESHOLD,
        decimal_places=CREDIT_PLACES,
        max_digits=22,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usual = format_credits(conf.low_balance_threshold())
        self.fields["threshold"].help_text = _("Empty: the usual %(usual)s. 0: never.") % {"usual": usual}
        for event, label in SWITCHABLE_LABELS.items():
            self.fields[event.value] = forms.BooleanField(label=label, required=False)

    @property
    def ticks(self) -> list[forms.BoundField]:
        """The mails to choose from."""
        return [self[event.value] for event in SWITCHABLE_LABELS]

    @property
    def switched_off(self) -> list[NoticeEvent]:
        """The events of a valid form that are not ticked."""
        return [event for event in SWITCHABLE_LABELS if not self.cleaned_data[event.value]]


def _start_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time.min, UTC) if day else None


class WebhookEndpointForm(forms.Form):
    """An address and what it is told of. Saving judges the address again."""

    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        help_text=_("Where we send to by POST, such as https://example.com/webhooks."),
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "https://"}),
    )
    description = forms.CharField(
        label=_("Description"),
        max_length=200,
        required=False,
        help_text=_("Optional: what it is for."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[(event.value, event.value) for event in NoticeEvent],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one event.")},
    )
    is_of_all = forms.BooleanField(
        label=_("Events of all customers"),
        required=False,
        help_text=_("For the product that bills through us. Without it, events of your own account are sent."),
    )
    form_token = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)

    def __init__(self, *args: Any, offers_all: bool = False, is_new: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not offers_all:
            del self.fields["is_of_all"]
        if not is_new:
            del self.fields["url"]

    def clean_description(self) -> str:
        description: str = self.cleaned_data["description"]
        if description and not description.isprintable():
            raise forms.ValidationError(_("Write it in one line of plain text."))
        return description
