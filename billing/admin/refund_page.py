"""The page on which staff refund a payment: fill in, see what it would do, confirm."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.models import User
from accounts.network import client_address
from billing.admin.base import page_address
from billing.admin.refund_forms import RefundForm
from billing.errors import BillingError
from billing.models import Payment, RefundRequest, RefundRequestState
from billing.money import format_credits, format_money
from billing.selectors.refunds import Refundable, read_refundable
from billing.services.gateway import configured_gateway
from billing.services.refund_preview import RefundPreview, preview_refund
from billing.services.refund_sending import send_refund
from billing.services.refunds import find_refund_limit, request_refund

TEMPLATE = "admin/billing/refund.html"
_OUTCOMES = {
    RefundRequestState.ACCEPTED: (messages.SUCCESS, "Stripe has accepted the refund. The credits are taken back."),
    RefundRequestState.SENT: (
        messages.WARNING,
        "Stripe has not answered. It is asked again by itself, and never refunds twice; nothing is left to do.",
    ),
    RefundRequestState.READY: (messages.INFO, "The refund is on its way to Stripe."),
    RefundRequestState.WAITING: (messages.INFO, "Another person has to approve it."),
}


def refund_page(*, model_admin: ModelAdmin[Any], request: HttpRequest, payment: Payment) -> HttpResponse:
    """The form; after its first sending a preview; after the confirmation the request's page."""
    now = timezone.now()
    refundable = read_refundable(payment=payment, now=now)
    form = RefundForm(request.POST or None, refundable=refundable)
    preview = None
    if form.is_valid():
        if "confirm" in request.POST:
            asked = _ask(request, payment=payment, form=form)
            if asked is not None:
                return redirect(page_address(asked))
        elif "edit" not in request.POST and form.cleaned_data["amount"] > refundable.most_minor:
            most = format_money(amount_minor=refundable.most_minor, currency=refundable.currency)
            form.add_error("amount", f"At most {most} can still go back.")
        elif "edit" not in request.POST:
            preview = preview_refund(payment=payment, amount_minor=form.cleaned_data["amount"], now=now)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Refund",
        "subtitle": str(payment),
        "opts": model_admin.opts,
        "payment": payment,
        "back": page_address(payment),
        "facts": describe_refundable(refundable),
        "form": form,
        "preview": preview,
        "effects": describe_preview(preview) if preview else [],
        "waits": find_refund_limit(payment=payment, amount_minor=preview.amount_minor) if preview else "",
    }
    return TemplateResponse(request, TEMPLATE, context)


def describe_refundable(refundable: Refundable) -> list[tuple[str, str]]:
    """Label and amount, as shown above the form."""
    amounts = [
        ("Collected", refundable.collected_minor),
        ("Gone back so far", refundable.given_back_minor),
        ("Asked for, not gone back yet", refundable.requested_minor),
        ("Can still go back", refundable.most_minor),
        ("Unused part, proposed", refundable.proposed_minor),
    ]
    lines = [(label, format_money(amount_minor=amount, currency=refundable.currency)) for label, amount in amounts]
    if refundable.period_days:
        days = f"{refundable.unused_days} of {refundable.period_days}"
        return [*lines, ("Unused days of the plan's period", days)]
    return lines


def describe_preview(preview: RefundPreview) -> list[tuple[str, str]]:
    """What a refund would do, line by line."""
    lines = [
        ("Money that goes back", format_money(amount_minor=preview.amount_minor, currency=preview.currency)),
        ("Credits that are taken back", format_credits(preview.credits)),
        ("Balance now", format_credits(preview.posted_before)),
        ("Balance afterwards", format_credits(preview.posted_after)),
    ]
    return [*lines, ("Debt that it leaves", format_credits(preview.debt_after))] if preview.debt_after else lines


def tell_outcome(request: HttpRequest, refund_request: RefundRequest) -> None:
    """Say what became of a request that was sent, or was not."""
    state = RefundRequestState(refund_request.state)
    level, text = _OUTCOMES.get(state, (messages.ERROR, f"{state.label}: {refund_request.refusal}"))
    messages.add_message(request, level, text)


def acting_user(request: HttpRequest) -> User:
    """Who is acting: the log and the rules of approval need a person."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _ask(request: HttpRequest, *, payment: Payment, form: RefundForm) -> RefundRequest | None:
    """Write the request down and, where nobody has to approve it, send it; None and an error if it was refused."""
    actor, address, values = acting_user(request), client_address(request), form.cleaned_data
    try:
        asked = request_refund(
            payment_id=payment.pk,
            amount_minor=values["amount"],
            reason_code=values["reason_code"],
            note=values["note"],
            ticket=values["ticket"],
            form_key=str(values["form_key"]),
            actor=actor,
            address=address,
        )
    except BillingError as refusal:
        form.add_error(None, str(refusal))
        return None
    if asked.is_replay:
        messages.info(request, "This form was sent before; the refund was asked for then and not again.")
        return asked.request
    sent = send_refund(request_id=asked.request.public_id, gateway=configured_gateway(), actor=actor, address=address)
    tell_outcome(request, sent)
    return sent
