"""The pages on which staff make vouchers: the terms, what they could bring, and the codes, shown once."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.network import client_address
from billing.admin.base import list_address, page_address
from billing.admin.panels import when
from billing.admin.refund_page import acting_user
from billing.admin.voucher_forms import VoucherForm
from billing.errors import BillingError, InvalidAmount, InvalidRequest
from billing.models import VoucherBatch
from billing.money import format_credits
from billing.selectors.export_cells import safe_cell
from billing.services.adjustment_limits import find_limit
from billing.services.audit import record_audit
from billing.services.voucher_batches import MAX_CODES, MadeVouchers, VoucherTerms, check_terms, make_vouchers
from billing.services.voucher_codes import hash_code

MAKE_TEMPLATE, MADE_TEMPLATE = "admin/billing/make_vouchers.html", "admin/billing/made_vouchers.html"


def make_page(*, model_admin: ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    """The form; after its first sending what the vouchers could bring; after the confirmation the codes, once."""
    form = VoucherForm(request.POST) if request.method == "POST" else VoucherForm()
    preview = None
    if request.method == "POST" and form.is_valid() and "edit" not in request.POST:
        if "confirm" in request.POST and (made := _make(request, form)) is not None:
            return _made_page(model_admin, request, made)
        if not form.errors:
            preview = _preview(request, form)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Make vouchers",
        "subtitle": "",
        "opts": model_admin.opts,
        "form": form,
        "preview": preview,
        "back": list_address(VoucherBatch),
    }
    return TemplateResponse(request, MAKE_TEMPLATE, context)


def codes_as_csv(*, request: HttpRequest, batch: VoucherBatch) -> HttpResponse:
    """The codes that the page has just shown, as a file: they are sent along, because nobody can read them again.

    Raises:
        PermissionDenied: something that was sent is no code of this batch.
    """
    codes = request.POST.get("codes", "").split()[: MAX_CODES + 1]
    known = set(batch.codes.values_list("code_hash", flat=True))
    if not codes or {hash_code(code) for code in codes} - known:
        raise PermissionDenied
    with transaction.atomic():
        record_audit(
            actor=acting_user(request),
            action="vouchers.export",
            target=batch,
            after={"codes": len(codes)},
            address=client_address(request),
        )
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="vouchers-{batch.public_id}.csv"'
    rows = csv.writer(answer)
    rows.writerow(["code", "batch", "name", "credits", "uses", "valid_from", "valid_until"])
    terms = (batch.public_id, batch.name, batch.credits, batch.uses_per_code, batch.valid_from, batch.valid_until)
    cells = [safe_cell(value) for value in terms]
    rows.writerows([code, *cells] for code in codes)
    return answer


def _make(request: HttpRequest, form: VoucherForm) -> MadeVouchers | None:
    """Make them; None and an error at its field if they were refused."""
    try:
        return make_vouchers(
            terms=form.terms(),
            note=form.cleaned_data["note"],
            form_key=str(form.cleaned_data["form_id"]),
            actor=acting_user(request),
            address=client_address(request),
        )
    except BillingError as refusal:
        _add_error(form, refusal)
        return None


def _made_page(model_admin: ModelAdmin[Any], request: HttpRequest, made: MadeVouchers) -> HttpResponse:
    if not made.codes:
        messages.info(request, "This form was sent before. Its codes were shown then, and cannot be shown again.")
        return redirect(page_address(made.batch))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Vouchers made",
        "subtitle": made.batch.name,
        "opts": model_admin.opts,
        "batch": made.batch,
        "codes": "\n".join(made.codes),
        "count": len(made.codes),
        "back": page_address(made.batch),
    }
    answer = TemplateResponse(request, MADE_TEMPLATE, context)
    answer["Cache-Control"] = "no-store"
    return answer


def _preview(request: HttpRequest, form: VoucherForm) -> dict[str, Any] | None:
    """What they could bring, and which limit lets them wait; None and an error where the terms make no sense."""
    terms, now = form.terms(), timezone.now()
    try:
        check_terms(terms=terms, now=now)
    except BillingError as refusal:
        _add_error(form, refusal)
        return None
    limit_reason = find_limit(
        actor_id=acting_user(request).pk,
        amount=terms.total_credits,
        is_write_off=False,
        may_leave_debt=False,
        now=now,
    )
    return {"rows": _rows(terms), "limit_reason": limit_reason}


def _rows(terms: VoucherTerms) -> Sequence[tuple[str, str]]:
    if terms.lifetime_days is not None:
        life = f"{terms.lifetime_days:,} days after the use"
    else:
        life = when(terms.credits_expire_at) if terms.credits_expire_at else "never"
    return [
        ("Codes", f"{terms.code_count:,}"),
        ("Each use brings", f"{format_credits(terms.credits)} credits"),
        ("Uses of each code", f"{terms.uses_per_code:,}, by one customer {terms.uses_per_customer:,}"),
        ("All uses together", f"{format_credits(terms.total_credits)} credits"),
        ("Valid from", when(terms.valid_from) if terms.valid_from else "the moment of the confirmation"),
        ("Valid until", when(terms.valid_until) if terms.valid_until else "no end"),
        ("The credits expire", life),
    ]


def _add_error(form: VoucherForm, refusal: BillingError) -> None:
    field = refusal.field if isinstance(refusal, InvalidAmount | InvalidRequest) else ""
    form.add_error(field if field in form.fields else None, str(refusal))
