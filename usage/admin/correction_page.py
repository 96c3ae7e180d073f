"""The page on which staff correct charges: fill in, see whom it touches by how much, confirm."""

from __future__ import annotations

from heapq import nlargest
from shlex import quote
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from accounts.network import client_address
from billing.admin.base import link_to, list_address, page_address, show_credits
from billing.admin.refund_page import acting_user
from billing.errors import BillingError
from usage.admin.correction_forms import CorrectionForm
from usage.models import UsageCorrection
from usage.selectors.corrections import (
    CorrectionSums,
    CorrectionTerms,
    CustomerChange,
    calls_in_period,
    name_customers,
    preview_correction,
    sums_of_correction,
)
from usage.services.corrections import apply_correction

TEMPLATE = "admin/usage/correct.html"
MAX_CALLS = 10_000  # more would keep the page waiting; the command has no limit
CUSTOMERS_SHOWN = 50


def correction_page(*, model_admin: ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    """The form; after its first sending a preview; after the confirmation the correction's page."""
    form = CorrectionForm(request.POST or None)
    preview: dict[str, Any] | None = None
    if form.is_valid() and "edit" not in request.POST:
        terms = form.terms()
        if is_too_large(calls=_count(terms)):
            form.add_error(None, f"More than {MAX_CALLS:,} calls take the shell: {shell_command(terms=terms)}")
        elif "confirm" in request.POST:
            return _apply(request, form)
        else:
            preview = _preview(terms)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Correct charges",
        "subtitle": "The calls of a model in a period are charged as a version of its price says",
        "opts": model_admin.opts,
        "form": form,
        "preview": preview,
        "back": list_address(UsageCorrection),
    }
    return TemplateResponse(request, TEMPLATE, context)


def is_too_large(*, calls: int) -> bool:
    """Whether a page should not wait for so many calls."""
    return calls > MAX_CALLS


def shell_command(*, terms: CorrectionTerms | None = None, reverse: UsageCorrection | None = None) -> str:
    """What to type in a shell instead."""
    if terms is None:
        asked = f"--reverse {reverse.public_id if reverse else ''}"
    else:
        since, until = f"{terms.since:%Y-%m-%dT%H:%M:%S%z}", f"{terms.until:%Y-%m-%dT%H:%M:%S%z}"
        asked = f"--model {quote(terms.model)} --since {since} --until {until} --price {terms.price.pk}"
    return f"manage.py correct_usage {asked} --reason … --apply"


def fault_of_finishing(correction: UsageCorrection) -> str:
    """Why a page should not finish what broke off, with the command that does; nothing where it may."""
    if correction.reverses is not None:
        calls = sums_of_correction(correction=correction.reverses).calls
        command = shell_command(reverse=correction.reverses)
    elif correction.price is not None:
        terms = CorrectionTerms(
            model=correction.model, since=correction.since, until=correction.until, price=correction.price
        )
        calls, command = _count(terms), shell_command(terms=terms)
    else:
        raise RuntimeError(f"The correction {correction.public_id} says neither a price nor what it reverses.")
    return f"That many calls take the shell: {command}" if is_too_large(calls=calls) else ""


def _count(terms: CorrectionTerms) -> int:
    """How many calls the period has, at most one more than the page takes."""
    calls = calls_in_period(model=terms.model, since=terms.since, until=terms.until)
    return calls.order_by()[: MAX_CALLS + 1].count()


def _preview(terms: CorrectionTerms) -> dict[str, Any]:
    sums, changes = CorrectionSums(), []
    for change in preview_correction(terms=terms):  # so many calls at most, so as many customers
        sums.add(change)
        if change.changed_calls:
            changes.append(change)
    largest = nlargest(CUSTOMERS_SHOWN, changes, key=lambda change: abs(change.difference))
    return {
        "sums": sums,
        "price": str(terms.price),
        "table": _table(largest, sums),
        "left_out": len(changes) - len(largest),
    }


def _table(changes: list[CustomerChange], sums: CorrectionSums) -> dict[str, Any]:
    customers = name_customers(customer_ids=[change.customer_id for change in changes])

    def row(name: Any, change: CustomerChange | CorrectionSums) -> list[Any]:
        return [
            name,
            f"{change.changed_calls:,} of {change.calls:,}",
            show_credits(change.charged),
            show_credits(change.right),
            show_credits(change.difference, signed=True),
        ]

    return {
        "headers": ["Customer", "Calls that change", "Charged", "Right", "Given back, or taken"],
        "rows": [
            *(row(link_to(customers[change.customer_id]), change) for change in changes),
            row("All together", sums),
        ],
    }


def _apply(request: HttpRequest, form: CorrectionForm) -> HttpResponse:
    try:
        correction = apply_correction(
            terms=form.terms(),
            reason=form.cleaned_data["reason"],
            actor=acting_user(request),
            address=client_address(request),
        )
    except BillingError as refusal:
        messages.error(request, str(refusal))
        return redirect(list_address(UsageCorrection))
    if correction is None:
        messages.info(request, "All these calls are charged so already; nothing was changed.")
        return redirect(list_address(UsageCorrection))
    messages.success(request, "The charges are corrected.")
    return redirect(page_address(correction))
