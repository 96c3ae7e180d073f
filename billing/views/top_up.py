"""Automatic top-up for customers: its state, its terms, the consent, and the way out."""

from decimal import Decimal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.errors import BillingError, CustomerFrozen, InvalidRequest, PackUnavailable, StripeUnavailable
from billing.forms import TopUpForm
from billing.models import BillingCustomer
from billing.selectors.selling import sells_to
from billing.selectors.shop import packs_for_sale
from billing.selectors.top_up_page import TopUpPage, read_top_up_page
from billing.services.gateway import configured_gateway
from billing.services.top_ups.cards import Removal, remove_card
from billing.services.top_ups.consenting import Choice, Proposal, give_consent, propose, turn_off
from billing.services.top_ups.wording import card_name, obstacle_of, reason_of
from billing.views.access import customer_page

_FIELDS = {"threshold": "threshold", "ceiling": "ceiling"}  # of a refusal, and of the form


@require_safe
@customer_page
def top_up(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The state, the saved card, the terms to choose, and the last attempts."""
    return _render(request, customer, form=None)


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page
def top_up_consent(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The words to agree to for the terms in the address; sent back with their digest they turn it on.

    Terms that changed while they were read are shown again; what cannot be chosen goes back to the form.
    """
    is_sent = request.method == "POST"
    form = TopUpForm(request.POST if is_sent else request.GET, packs=packs_for_sale())
    if not form.is_valid():
        return _render(request, customer, form=form, status=400)
    choice = Choice(
        pack=form.cleaned_data["pack"], threshold=form.cleaned_data["threshold"], ceiling_minor=form.ceiling_minor
    )
    try:
        proposal = propose(customer=customer, choice=choice)
    except InvalidRequest as refusal:
        form.add_error(_FIELDS.get(refusal.field), f"{refusal.fault.capitalize()}. {refusal.remedy}")
        return _render(request, customer, form=form, status=400)
    except PackUnavailable:
        form.add_error("pack", _("This pack is not sold any more. Choose another one."))
        return _render(request, customer, form=form, status=400)
    if not is_sent:
        return _render_consent(request, form=form, proposal=proposal)
    return _agree(request, customer, form=form, choice=choice, proposal=proposal)


@require_POST
@customer_page
def top_up_off(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """Turn it off, at once."""
    turn_off(customer_id=customer.pk)
    messages.success(request, _("Automatic top-up is off. Your card is not charged by it any more."))
    return redirect("billing:top_up")


@require_POST
@customer_page
def top_up_remove_card(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """Remove the saved card at Stripe and here; automatic top-up waits for another one."""
    try:
        removal = remove_card(customer_id=customer.pk, gateway=configured_gateway())
    except StripeUnavailable:
        messages.error(
            request,
            _("Stripe cannot be reached. Automatic top-up is not on; try again in a moment to remove the card."),
        )
    else:
        if removal is Removal.ONLY_HERE:
            messages.warning(
                request,
                _(
                    "Automatic top-up does not know the card any more. Your plan is paid with it, so Stripe keeps it "
                    "for the plan; under Plans you can pay with another one."
                ),
            )
        else:
            messages.success(request, _("The card was removed."))
    return redirect("billing:top_up")


def _agree(
    request: HttpRequest, customer: BillingCustomer, *, form: TopUpForm, choice: Choice, proposal: Proposal
) -> HttpResponse:
    fault = ""
    try:
        give_consent(customer=customer, choice=choice, digest=request.POST.get("digest", ""))
    except CustomerFrozen:
        fault = _("Your spending is frozen, so nothing can be charged. Please write to us.")
    except BillingError:
        fault = _("The terms have changed since you read them. Please read them again.")
    if fault:
        return _render_consent(request, form=form, proposal=proposal, fault=fault, status=409)
    messages.success(request, _("Automatic top-up is on."))
    return redirect("billing:top_up")


def _render(
    request: HttpRequest, customer: BillingCustomer, *, form: TopUpForm | None, status: int = 200
) -> HttpResponse:
    page, packs = read_top_up_page(customer_id=customer.pk, now=timezone.now()), packs_for_sale()
    context = {
        "page": page,
        "reason": reason_of(page.top_up.cause),
        "waits_for": _waits_for(page),
        "card": card_name(page.top_up),
        "form": form or TopUpForm(initial=_initial(page), packs=packs),
        "packs": packs,
        "is_selling": sells_to(customer),
    }
    return render(request, "billing/top_up.html", context, status=status)


def _render_consent(
    request: HttpRequest, *, form: TopUpForm, proposal: Proposal, fault: str = "", status: int = 200
) -> HttpResponse:
    context = {"form": form, "proposal": proposal, "fault": fault}
    return render(request, "billing/top_up_consent.html", context, status=status)


def _waits_for(page: TopUpPage) -> str:
    """Why what spending has asked for is not done yet."""
    if not page.is_on or page.due_at is None or page.judgement is None or page.judgement.obstacle is None:
        return ""
    return obstacle_of(page.judgement.obstacle)


def _initial(page: TopUpPage) -> dict[str, object]:
    """What was agreed to last, to start from."""
    consent = page.top_up.consent
    if consent is None:
        return {}
    ceiling = TopUpForm.shown_money(amount_minor=consent.ceiling_minor, currency=consent.currency)
    threshold: Decimal = consent.threshold.normalize()
    return {"pack": consent.pack.slug, "threshold": f"{threshold:f}", "ceiling": ceiling}
