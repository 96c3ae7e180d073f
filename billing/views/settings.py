"""Billing settings: sections, each with a form of its own that is sent to an address of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing.forms import SWITCHABLE_LABELS, NoticeSettingsForm
from billing.models import BillingCustomer
from billing.selectors.preferences import read_preferences, read_top_up_state
from billing.services.preferences import set_switched_off, set_threshold
from billing.views.access import customer_page


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: its anchor and name, the template that shows it, and what that needs (`section.facts`)."""

    anchor: str
    title: str
    template: str
    facts: Mapping[str, Any] = field(default_factory=dict)


SectionReader = Callable[[HttpRequest, BillingCustomer, Form | None], Section]


def notice_section(request: HttpRequest, customer: BillingCustomer, form: Form | None) -> Section:
    """Mails and the low-balance threshold."""
    if form is None:
        chosen = read_preferences(customer_id=customer.pk)
        ticks = {event.value: event.value not in chosen.switched_off for event in SWITCHABLE_LABELS}
        threshold = None if chosen.low_threshold is None else f"{chosen.low_threshold.normalize():f}"
        form = NoticeSettingsForm(initial={"threshold": threshold, **ticks})
    address = request.user.email if request.user.is_authenticated else ""
    return Section(
        "notices",
        _("What we write to you about"),
        "billing/settings/notices.html",
        {
            "form": form,
            "address": address,
            "fixed": _fixed_mails(),
        },
    )


def top_up_section(request: HttpRequest, customer: BillingCustomer, form: Form | None) -> Section:
    """Whether automatic top-up is on; it has a page of its own."""
    state = read_top_up_state(customer_id=customer.pk)
    return Section("top-up", _("Automatic top-up"), "billing/settings/top_up.html", {"state": state.value})


def details_section(request: HttpRequest, customer: BillingCustomer, form: Form | None) -> Section:
    """Whom invoices are made out to; it has a page of its own, and Stripe is asked after the page is there."""
    is_asked = bool(customer.stripe_customer_id)
    return Section("details", _("Billing details"), "billing/settings/details.html", {"is_asked": is_asked})


# In the order of the page. A section of another part of billing is a function here and a template.
SECTIONS: dict[str, SectionReader] = {"notices": notice_section, "top_up": top_up_section, "details": details_section}


@require_safe
@customer_page
def settings_page(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """All sections as they are."""
    return render_settings(request, customer)


@require_POST
@customer_page
def save_notice_settings(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """Keep which mails are wanted, and the threshold."""
    form = NoticeSettingsForm(request.POST)
    if not form.is_valid():
        return render_settings(request, customer, section="notices", form=form)
    set_threshold(customer_id=customer.pk, threshold=form.cleaned_data["threshold"])
    set_switched_off(customer_id=customer.pk, events=form.switched_off)
    messages.success(request, _("Your choice is saved."))
    return redirect("billing:settings")


def render_settings(
    request: HttpRequest, customer: BillingCustomer, *, section: str = "", form: Form | None = None
) -> HttpResponseBase:
    """The page; with a form that was refused in its section, as 400."""
    sections = [read(request, customer, form if name == section else None) for name, read in SECTIONS.items()]
    return render(request, "billing/settings.html", {"sections": sections}, status=400 if form else 200)


def _fixed_mails() -> list[tuple[str, str]]:
    """What cannot be switched off, and why."""
    money = _("It is about your money, so it cannot be switched off.")
    safety = _("It keeps your account safe, so it cannot be switched off.")
    return [
        (_("Payments, refunds and disputes"), money),
        (_("Plans and their invoices"), money),
        (_("Automatic top-up"), money),
        (_("Debt, and credits that staff give or take"), money),
        (_("New API keys"), safety),
    ]
