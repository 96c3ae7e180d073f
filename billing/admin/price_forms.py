"""The forms on which staff set a price: a new version of a model's or an operation's."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from billing.models.pricing_config import MAX_MARKUP_PERCENT, MAX_USD
from billing.money import CREDIT_PLACES, ZERO
from billing.services.prices import NO_VERSION, ModelTerms, OperationTerms

_NAME = RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$", "Write the model's name as the provider does.")


def _text(**attributes: str) -> UnfoldAdminTextInputWidget:
    return UnfoldAdminTextInputWidget({"autocomplete": "off", **attributes})


def _usd(label: str, *, required: bool = True, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=required,
        min_value=0,
        max_value=MAX_USD,
        max_digits=15,
        decimal_places=9,
        widget=_text(inputmode="decimal"),
        help_text=help_text,
    )


def _markup(help_text: str) -> forms.DecimalField:
    return forms.DecimalField(
        label="Markup in percent",
        min_value=0,
        max_value=MAX_MARKUP_PERCENT,
        max_digits=9,
        decimal_places=3,
        initial=0,
        widget=_text(inputmode="decimal"),
        help_text=help_text,
    )


class VersionForm(forms.Form):
    """When a version starts, and why. `follows` is the newest version that was there when the form was shown."""

    starts_at = forms.DateTimeField(
        label="Holds from (UTC)",
        required=False,
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local"}),
        help_text="Empty: from now. The very first version may start in the past; later ones cannot.",
    )
    is_offered = forms.BooleanField(
        label="Offered",
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
        help_text="Off: from then on nobody is served.",
    )
    note = forms.CharField(
        label="Why",
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="For colleagues: stays with the version and in the audit log.",
    )
    follows = forms.IntegerField(widget=forms.HiddenInput, initial=NO_VERSION)

    def name(self) -> str:
        """What is priced."""
        raise NotImplementedError

    def starts(self) -> datetime | None:
        chosen: datetime | None = self.cleaned_data["starts_at"]
        return chosen


class ModelPriceForm(VersionForm):
    """A version of a language model's price."""

    model = forms.CharField(max_length=120, validators=[_NAME], widget=_text(), help_text="As the provider writes it.")
    provider = forms.CharField(max_length=60, initial="openai", widget=_text())
    input_usd_per_1k = _usd("Input, USD for 1,000 tokens")
    cached_input_usd_per_1k = _usd(
        "Cached input, USD for 1,000 tokens", help_text="A part of the input. Without a price of its own: the input's."
    )
    output_usd_per_1k = _usd("Output, USD for 1,000 tokens")
    request_usd = _usd("USD for a request")
    markup_percent = _markup("On top of what it costs us.")
    output_reserve_tokens = forms.IntegerField(
        label="Output token reserve",
        min_value=1,
        max_value=10_000_000,
        initial=1000,
        widget=_text(inputmode="numeric"),
        help_text="Expected of a call while there is no experience with the customer. Held, not charged.",
    )
    field_order = ("model", "provider", *ModelTerms.__dataclass_fields__, "starts_at", "is_offered", "note", "follows")

    def name(self) -> str:
        return str(self.cleaned_data["model"])

    def terms(self) -> ModelTerms:
        """What the form says."""
        return ModelTerms(**{name: self.cleaned_data[name] for name in ModelTerms.__dataclass_fields__})


class OperationPriceForm(VersionForm):
    """A version of an operation's fixed price."""

    operation = forms.SlugField(max_length=80, widget=_text(), help_text="What the code calls it, such as image-1024.")
    title = forms.CharField(label="Name", max_length=120, widget=_text(), help_text="What customers read.")
    credits = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=22,
        decimal_places=CREDIT_PLACES,
        widget=_text(inputmode="decimal"),
        help_text="For one. Either this, or US dollars.",
    )
    usd = _usd("USD", required=False, help_text="What one costs us, instead of a price in credits.")
    markup_percent = _markup("On top of a price in US dollars.")
    field_order = ("operation", "title", "credits", "usd", "markup_percent", "starts_at", "is_offered", "note")

    def name(self) -> str:
        return str(self.cleaned_data["operation"])

    def terms(self) -> OperationTerms:
        """What the form says."""
        values = self.cleaned_data
        return OperationTerms(
            operation=values["operation"],
            name=values["title"],
            credits=values["credits"],
            usd=values["usd"],
            markup_percent=values["markup_percent"] or ZERO,
        )


def show_terms(terms: ModelTerms | OperationTerms) -> dict[str, Any]:
    """Terms as people read them: amounts without the zeros that the column adds."""
    return {
        name: f"{value.normalize():f}" if isinstance(value, Decimal) else value for name, value in asdict(terms).items()
    }


def initial_of(terms: ModelTerms | OperationTerms) -> dict[str, Any]:
    """Terms as the fields of their form."""
    shown = show_terms(terms)
    return {**shown, "title": shown.get("name", "")}
