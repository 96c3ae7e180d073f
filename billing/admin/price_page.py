"""The page on which staff set a price: fill in, see what a call would cost before and after, confirm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.network import client_address
from billing.admin.base import NOTHING, list_address, page_address
from billing.admin.panels import when
from billing.admin.price_forms import ModelPriceForm, OperationPriceForm, initial_of, show_terms
from billing.admin.refund_page import acting_user
from billing.errors import InvalidRequest
from billing.models import OperationPrice, PricingConfig
from billing.money import format_credits
from billing.selectors.prices import charge_for_operation, charge_for_tokens
from billing.services.prices import (
    ModelTerms,
    OperationTerms,
    newest_id,
    set_operation_price,
    set_price,
    terms_of_model,
    terms_of_operation,
    version_in_force,
)
from billing.usage_cost import Tokens

TEMPLATE: Final = "admin/billing/price_version.html"
SUSPICIOUS_FACTOR: Final = 10  # a slip of the decimal point, more likely than a price
_EXAMPLES: Final = (
    ("1,000 tokens in, 500 out", Tokens(input=1000, output=500)),
    ("The same, 400 of those in cached", Tokens(input=1000, cached=400, output=500)),
)
Version = PricingConfig | OperationPrice
Terms = ModelTerms | OperationTerms
PriceForm = ModelPriceForm | OperationPriceForm


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceKind:
    """What differs between prices of models and of operations."""

    model: type[PricingConfig] | type[OperationPrice]
    name: str
    form: type[ModelPriceForm] | type[OperationPriceForm]
    terms_of: Callable[[Any], Terms]
    set: Callable[..., Version]
    examples: Callable[[Version], list[tuple[str, Decimal]]]

    def versions(self, *, name: str) -> list[Any]:
        """All versions of one thing."""
        return list(self.model._default_manager.filter(**{self.name: name}))

    def unsaved(self, terms: Terms) -> Version:
        """A version of these terms, to compute with."""
        return self.model(**asdict(terms))


def charge_examples(version: PricingConfig) -> list[tuple[str, Decimal]]:
    """What two calls cost, in credits."""
    return [(label, charge_for_tokens(version=version, tokens=tokens).credits) for label, tokens in _EXAMPLES]


def charge_operation_examples(version: OperationPrice) -> list[tuple[str, Decimal]]:
    """What one operation, and a thousand, cost, in credits."""
    return [
        (label, charge_for_operation(version=version, quantity=quantity).credits)
        for label, quantity in (("Once", 1), ("1,000 times", 1000))
    ]


MODELS: Final = PriceKind(
    model=PricingConfig,
    name="model",
    form=ModelPriceForm,
    terms_of=terms_of_model,
    set=set_price,
    examples=charge_examples,  # type: ignore[arg-type]  # called with versions of its own kind only
)
OPERATIONS: Final = PriceKind(
    model=OperationPrice,
    name="operation",
    form=OperationPriceForm,
    terms_of=terms_of_operation,
    set=set_operation_price,
    examples=charge_operation_examples,  # type: ignore[arg-type]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a version would change: label, before, after; and what to look at twice."""

    rows: list[tuple[str, str, str]]
    warnings: list[str]


def version_page(
    *, model_admin: ModelAdmin[Any], request: HttpRequest, kind: PriceKind, shown: Version | None
) -> HttpResponse:
    """The form, filled with the terms in force; after its first sending a preview; after the confirmation the version.

    `shown` is a version of what gets a new one, None for what has no price yet.
    """
    versions = kind.versions(name=getattr(shown, kind.name)) if shown is not None else []
    form = _make_form(request, kind=kind, shown=shown, versions=versions)
    preview = None
    if form.is_valid() and "edit" not in request.POST:
        versions = kind.versions(name=form.name())
        if shown is None and versions:
            form.add_error(kind.name, "It has a price already: open it and choose New version.")
        elif "confirm" not in request.POST:
            if _set(request, kind=kind, form=form, only_try=True) is not None:
                preview = preview_version(kind=kind, form=form, versions=versions, now=timezone.now())
        elif (version := _set(request, kind=kind, form=form)) is not None:
            messages.success(request, f"{form.name()}: the new version holds from {when(version.effective_from)}.")
            return redirect(page_address(version))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "New version" if shown else "New price",
        "subtitle": getattr(shown, kind.name) if shown else "",
        "opts": model_admin.opts,
        "form": form,
        "preview": preview,
        "back": page_address(shown) if shown else list_address(kind.model),
    }
    return TemplateResponse(request, TEMPLATE, context)


def preview_version(*, kind: PriceKind, form: PriceForm, versions: Sequence[Any], now: datetime) -> Preview:
    """What the form's version would change of what holds when it starts."""
    starts, terms = form.starts() or now, form.terms()
    before = version_in_force(versions, at=starts)
    old_terms = show_terms(kind.terms_of(before)) if before is not None else {}
    rows = [
        (_label(form, name), _shown(old_terms.get(name)), _shown(value))
        for name, value in show_terms(terms).items()
        if old_terms.get(name) != value
    ]
    new = kind.examples(kind.unsaved(terms))
    old = [amount for _, amount in kind.examples(before)] if before is not None else [None] * len(new)
    examples = [
        (f"{label}, in credits", NOTHING if was is None else format_credits(was), format_credits(amount))
        for (label, amount), was in zip(new, old, strict=True)
    ]
    warnings = list(_warnings(form=form, old=old, new=[amount for _, amount in new]))
    later = sorted(version.effective_from for version in versions if version.effective_from > starts)
    if later:
        warnings.append(f"Another version starts on {when(later[0])} (UTC) and follows this one.")
    return Preview(rows=[*rows, *examples], warnings=warnings)


def _warnings(*, form: PriceForm, old: Sequence[Decimal | None], new: Sequence[Decimal]) -> list[str]:
    warnings = []
    if not form.cleaned_data["is_offered"]:
        warnings.append("From then on nobody is served.")
    if not any(new):
        warnings.append("From then on it is free.")
    for was, amount in zip(old, new, strict=True):
        if was and amount and max(amount / was, was / amount) >= SUSPICIOUS_FACTOR:
            warnings.append(f"That is {SUSPICIOUS_FACTOR} times as much, or as little, or more. Is the point in place?")
            break
    return warnings


def _make_form(request: HttpRequest, *, kind: PriceKind, shown: Version | None, versions: Sequence[Any]) -> PriceForm:
    if shown is None:
        return kind.form(request.POST or None)
    basis = version_in_force(versions, at=timezone.now()) or shown
    initial = {**initial_of(kind.terms_of(basis)), "follows": newest_id(versions)}
    form = kind.form(request.POST or None, initial=initial)
    form.fields[kind.name].disabled = True
    return form


def _set(request: HttpRequest, *, kind: PriceKind, form: PriceForm, only_try: bool = False) -> Version | None:
    """Set the version; None and an error at its field if it was refused. A try is undone, so it refuses the same."""
    try:
        with transaction.atomic():
            version = kind.set(
                terms=form.terms(),
                effective_from=form.starts(),
                is_offered=form.cleaned_data["is_offered"],
                note=form.cleaned_data["note"],
                follows=form.cleaned_data["follows"],
                actor=acting_user(request),
                address=client_address(request),
            )
            transaction.set_rollback(only_try)
    except InvalidRequest as refusal:
        field = {"effective_from": "starts_at", "name": "title"}.get(refusal.field, refusal.field)
        form.add_error(
            field if field in form.fields else None, f"{refusal.fault[:1].upper()}{refusal.fault[1:]}. {refusal.remedy}"
        )
        return None
    return version


def _label(form: PriceForm, name: str) -> str:
    """What the form calls a value of the terms."""
    bound = form["title" if name == "name" else name]
    return str(bound.label)


def _shown(value: object) -> str:
    return NOTHING if value in (None, "") else str(value)
