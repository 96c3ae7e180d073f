"""A finding's pages: both sides next to each other, the repair that first shows what it would do, the acceptance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.audited import record_act
from accounts.network import client_address
from billing.admin.base import NOTHING, page_address
from billing.admin.confirmations import confirmation_page
from billing.admin.forms import ReasonForm
from billing.admin.refund_page import acting_user
from billing.errors import BillingError
from billing.models import FindingState, PaymentState, ReconciliationFinding
from billing.money import format_money
from billing.services.findings import accept_finding
from billing.services.gateway import configured_gateway
from billing.services.reconciliation.previewing import RepairPreview, preview_repair
from billing.services.reconciliation.repairing import is_repairable, repair_findings, repairs_of_one
from billing.services.refunds import MAY_REQUEST
from billing.webhooks.catching_up import inbox_of

TEMPLATE = "admin/billing/repair_finding.html"
_ENDED = "This finding has ended. Nothing was done now."


def sides_of(finding: ReconciliationFinding) -> list[tuple[str, str, str]]:
    """What each side says: name, here, at Stripe."""
    names = dict.fromkeys([*finding.ours, *finding.theirs])
    return [(_say(name), _shown(finding.ours, name), _shown(finding.theirs, name)) for name in names]


def ways_out_of(finding: ReconciliationFinding, request: HttpRequest) -> list[tuple[str, str]]:
    """Pages on which a person decides about the payment, where there is something to decide."""
    payment = finding.payment
    if finding.state != FindingState.OPEN or payment is None:
        return []
    ways = []
    if payment.state == PaymentState.REVIEW:
        ways.append(("Grant what was offered", reverse("admin:billing_payment_grant_offered", args=[payment.pk])))
    if payment.paid_at is not None and request.user.has_perm(MAY_REQUEST):
        ways.append(("Refund", reverse("admin:billing_payment_refund", args=[payment.pk])))
    return ways


def repair_page(*, model_admin: ModelAdmin[Any], request: HttpRequest, finding: ReconciliationFinding) -> HttpResponse:
    """What the repair would do, read from Stripe now; once a reason is given, the repair."""
    if finding.state != FindingState.OPEN or not is_repairable(finding):
        messages.info(request, _ENDED if finding.state != FindingState.OPEN else finding.suggested_repair)
        return redirect(page_address(finding))
    form = ReasonForm(request.POST or None)
    try:
        if form.is_valid():
            _repair(request, finding, reason=form.cleaned_data["reason"])
            return redirect(page_address(finding))
        preview = preview_repair(finding=finding, gateway=configured_gateway())
    except BillingError as refusal:
        messages.error(request, f"{refusal} Nothing was changed.")
        return redirect(page_address(finding))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Repair",
        "subtitle": finding.detail,
        "opts": model_admin.opts,
        "preview": preview,
        "form": form,
        "back": page_address(finding),
    }
    return TemplateResponse(request, TEMPLATE, context)


def accept_page(*, model_admin: ModelAdmin[Any], request: HttpRequest, finding: ReconciliationFinding) -> HttpResponse:
    """Ask why, then leave things as they are."""
    form = ReasonForm(request.POST or None)
    if form.is_valid():
        has_ended = accept_finding(
            finding=finding,
            actor=acting_user(request),
            reason=form.cleaned_data["reason"],
            address=client_address(request),
        )
        messages.add_message(
            request,
            messages.SUCCESS if has_ended else messages.INFO,
            "Accepted. It is not raised again while it stays as it is." if has_ended else _ENDED,
        )
        return redirect(page_address(finding))
    return confirmation_page(
        model_admin=model_admin,
        request=request,
        title="Accept as it is",
        subtitle=finding.detail,
        question="Nothing is changed, here or at Stripe. The finding ends, and comes back only if it changes.",
        button="Accept as it is",
        back=page_address(finding),
        form=form,
        lines=[f"{name}: {here} here, {there} at Stripe" for name, here, there in sides_of(finding)],
    )


def _repair(request: HttpRequest, finding: ReconciliationFinding, *, reason: str) -> None:
    gateway = configured_gateway()
    preview = preview_repair(finding=finding, gateway=gateway)
    repairs = repairs_of_one()
    repair_findings(
        findings=[finding],
        gateway=gateway,
        inbox=inbox_of(gateway),
        repairs=repairs,
        actor=acting_user(request),
        reason=reason,
    )
    finding.refresh_from_db()
    with transaction.atomic():
        record_act(
            request=request,
            action="finding.repair",
            target=finding,
            before=_side(preview, 1),
            after={**_side(preview, 2), "state": finding.state, "done": preview.outcome},
            reason=reason,
        )
    if finding.state == FindingState.REPAIRED:
        messages.success(request, "Repaired.")
    elif repairs.failed:
        messages.error(request, "The repair failed; the log says why. Nothing was changed.")
    else:
        messages.warning(request, "Stripe was read again, and the sides still differ: a person has to decide.")


def _side(preview: RepairPreview, place: int) -> dict[str, str]:
    return {row[0]: row[place] for row in preview.rows}


def _say(name: str) -> str:
    return name.removesuffix("_minor").replace("_", " ").capitalize()


def _shown(side: Mapping[str, Any], name: str) -> str:
    """A value as staff read it: minor units are money, where the side names its currency."""
    value = side.get(name)
    if value is None or value == "":
        return NOTHING
    currency = side.get("currency")
    if name.endswith("_minor") and isinstance(value, int) and currency:
        return format_money(amount_minor=value, currency=currency)
    return value if isinstance(value, str) else json.dumps(value)
