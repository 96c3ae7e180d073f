"""The pages on which staff give, take or write off credits: fill in, see what it would do, confirm."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import User
from accounts.network import client_address
from billing.admin.base import page_address
from billing.admin.forms import AdjustmentForm, CreditsForm, WriteOffForm
from billing.errors import BillingError
from billing.models import Adjustment, AdjustmentState, BillingCustomer, ReasonCode
from billing.money import ZERO, format_credits
from billing.selectors.balances import Balance, read_balance
from billing.services.adjustment_limits import find_limit
from billing.services.adjustments import request_adjustment

TEMPLATE = "admin/billing/adjust_credits.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an adjustment would do to a balance, and which limit would let it wait."""

    amount: Decimal
    balance: Balance
    is_write_off: bool = False
    may_leave_debt: bool = False
    limit_reason: str = ""

    @property
    def moved(self) -> Decimal:
        """The amount, of a write-off at most what is owed."""
        return min(self.amount, self.balance.debt) if self.is_write_off else self.amount

    @property
    def fault(self) -> str:
        """Why it could not be posted now; empty where it could."""
        if self.is_write_off and self.amount > self.balance.debt:
            return f"The debt is {format_credits(self.balance.debt)} credits."
        if -self.amount > self.balance.available and not self.may_leave_debt:
            return "That is more than is available."
        return ""

    def rows(self) -> list[tuple[str, str, str]]:
        """Label, before and after, as shown."""
        posted, held, overdraft = self.balance.posted, self.balance.held, self.balance.overdraft_limit
        spendable = [max(ZERO, sum_ - held + overdraft) for sum_ in (posted, posted + self.moved)]
        return [
            ("Posted", format_credits(posted), format_credits(posted + self.moved)),
            ("Held", format_credits(held), format_credits(held)),
            ("Available", format_credits(spendable[0]), format_credits(spendable[1])),
        ]


def balance_of(customer: BillingCustomer) -> Balance:
    balance = read_balance(customer_id=customer.pk, now=timezone.now())
    if balance is None:
        raise RuntimeError(f"The customer {customer.pk} has no balance row.")
    return balance


def signed_in(request: HttpRequest) -> User:
    """The member of staff; the admin lets nobody else come this far."""
    if not isinstance(request.user, User):
        raise TypeError("The admin let somebody in who is not a user.")
    return request.user


def adjustment_page(*, model_admin: ModelAdmin[Any], request: HttpRequest, customer: BillingCustomer) -> HttpResponse:
    """Give or take: the form; after its first sending a preview; after the confirmation the customer's page."""
    form = AdjustmentForm(request.POST) if request.method == "POST" else AdjustmentForm()
    return _page(model_admin, request, customer, form, title="Give or take credits", kind="adjustment")


def write_off_page(*, model_admin: ModelAdmin[Any], request: HttpRequest, customer: BillingCustomer) -> HttpResponse:
    """Give up a debt: the same way, and always by two people."""
    owed = f"{balance_of(customer).debt.normalize():f}"
    form = WriteOffForm(request.POST) if request.method == "POST" else WriteOffForm(initial={"amount": owed})
    return _page(model_admin, request, customer, form, title="Write off the debt", kind="write-off")


def _page(
    model_admin: ModelAdmin[Any],
    request: HttpRequest,
    customer: BillingCustomer,
    form: CreditsForm,
    *,
    title: str,
    kind: str,
) -> HttpResponse:
    preview = None
    if request.method == "POST" and form.is_valid():
        if "confirm" in request.POST and _request(request, customer, form):
            return redirect("admin:billing_billingcustomer_change", customer.pk)
        if "edit" not in request.POST:
            preview = _preview(request, customer, form)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "subtitle": str(customer),
        "opts": model_admin.opts,
        "customer": customer,
        "kind": kind,
        "form": form,
        "preview": preview,
        "reason": ReasonCode(form.chosen_reason()).label if preview else "",
        "back": page_address(customer),
    }
    return TemplateResponse(request, TEMPLATE, context)


def _preview(request: HttpRequest, customer: BillingCustomer, form: CreditsForm) -> Preview:
    is_write_off = form.chosen_reason() == ReasonCode.WRITE_OFF
    return Preview(
        amount=form.signed_amount(),
        balance=balance_of(customer),
        is_write_off=is_write_off,
        may_leave_debt=form.may_leave_debt(),
        limit_reason=find_limit(
            actor_id=signed_in(request).pk,
            amount=form.signed_amount(),
            is_write_off=is_write_off,
            may_leave_debt=form.may_leave_debt(),
            now=timezone.now(),
        ),
    )


def _request(request: HttpRequest, customer: BillingCustomer, form: CreditsForm) -> bool:
    """Ask for the adjustment and say what became of it; whether it was taken."""
    try:
        asked = request_adjustment(
            customer=customer,
            amount=form.signed_amount(),
            reason_code=form.chosen_reason(),
            note=form.cleaned_data["note"],
            ticket=form.cleaned_data["ticket"],
            may_leave_debt=form.may_leave_debt(),
            form_key=str(form.cleaned_data["form_id"]),
            actor=signed_in(request),
            address=client_address(request),
        )
    except BillingError as refusal:
        form.add_error(None, str(refusal))
        return False
    if asked.is_replay:
        messages.info(request, "This form was sent before; what it asked for was done then and not again.")
    elif asked.adjustment.state == AdjustmentState.WAITING:
        messages.warning(request, _waiting_message(asked.adjustment))
    else:
        messages.success(request, posted_message(asked.adjustment))
    return True


def posted_message(adjustment: Adjustment) -> str:
    """What was moved, and the balance after it."""
    entry = adjustment.entry
    if entry is None:
        raise RuntimeError(f"{adjustment} was not posted.")
    moved, balance = format_credits(entry.amount, signed=True), format_credits(entry.balance_after)
    return f"{moved} credits. The balance is now {balance}."


def _waiting_message(adjustment: Adjustment) -> str:
    until = adjustment.decide_until
    by_when = f" by {date_format(timezone.localtime(until), 'j M Y, H:i')}" if until else ""
    return (
        f"Nothing has been posted yet: {format_credits(adjustment.amount, signed=True)} credits wait for a second "
        f"person, who decides{by_when}. {adjustment.limit_reason}"
    )
