"""The page on which staff give or take credits: fill in, see what it would do, confirm."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from billing.admin.forms import AdjustmentForm
from billing.errors import BillingError
from billing.models import BillingCustomer
from billing.money import ZERO, format_credits
from billing.selectors.balances import Balance, read_balance
from billing.services.adjustments import adjust_credits

TEMPLATE = "admin/billing/adjust_credits.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an adjustment would do to a balance."""

    amount: Decimal
    balance: Balance

    @property
    def posted_after(self) -> Decimal:
        return self.balance.posted + self.amount

    @property
    def is_possible(self) -> bool:
        """Whether a debit stays within what is available."""
        return self.amount > 0 or self.balance.posted - self.balance.held + self.amount >= ZERO

    def rows(self) -> list[tuple[str, str, str]]:
        """Label, before and after, as shown."""
        available_after = max(
            ZERO, self.balance.posted - self.balance.held + self.balance.overdraft_limit + self.amount
        )
        return [
            ("Posted", format_credits(self.balance.posted), format_credits(self.posted_after)),
            ("Held", format_credits(self.balance.held), format_credits(self.balance.held)),
            ("Available", format_credits(self.balance.available), format_credits(available_after)),
        ]


def adjustment_page(*, model_admin: ModelAdmin[Any], request: HttpRequest, customer: BillingCustomer) -> HttpResponse:
    """The form; after its first sending a preview; after the confirmation the customer's page."""
    form = AdjustmentForm(request.POST) if request.method == "POST" else AdjustmentForm()
    balance = read_balance(customer_id=customer.pk, now=timezone.now())
    if balance is None:
        raise RuntimeError(f"The customer {customer.pk} has no balance row.")
    preview = None
    if request.method == "POST" and form.is_valid():
        if "confirm" in request.POST and _adjust(
            model_admin=model_admin, request=request, customer=customer, form=form
        ):
            return redirect("admin:billing_billingcustomer_change", customer.pk)
        if "edit" not in request.POST:
            preview = Preview(amount=form.signed_amount(), balance=balance)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Give or take credits",
        "subtitle": str(customer),
        "opts": model_admin.opts,
        "customer": customer,
        "balance": balance,
        "form": form,
        "preview": preview,
    }
    return TemplateResponse(request, TEMPLATE, context)


def _adjust(
    *, model_admin: ModelAdmin[Any], request: HttpRequest, customer: BillingCustomer, form: AdjustmentForm
) -> bool:
    """Post the adjustment and write down who did it, both or neither; says whether that went well."""
    amount, reason = form.signed_amount(), form.cleaned_data["reason"]
    shown = format_credits(amount, signed=True)
    try:
        with transaction.atomic():
            outcome = adjust_credits(
                customer_id=customer.pk,
                amount=amount,
                reason=reason,
                form_id=form.cleaned_data["form_id"],
                staff_id=request.user.pk or 0,
            )
            if not outcome.is_replay:
                model_admin.log_change(request, customer, f"Adjusted by {shown} credits: {reason}")
    except BillingError as refusal:
        form.add_error(None, str(refusal))
        return False
    if outcome.is_replay:
        messages.info(request, "This form was sent before; its credits were moved then and not again.")
    else:
        messages.success(request, f"{shown} credits. The balance is now {format_credits(outcome.entry.balance_after)}.")
    return True
