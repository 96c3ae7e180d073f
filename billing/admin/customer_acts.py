"""What staff do to a customer beside moving credits: freeze, lift, note. Each is in the audit log, or is not done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.audited import Snapshot, compare, record_act
from accounts.models import User
from billing.admin.base import page_action, page_address
from billing.admin.confirmations import confirmation_page
from billing.admin.customer_forms import LiftFlagForm, NoteForm, OverdraftForm
from billing.admin.forms import ReasonForm
from billing.models import AutoTopUp, BillingCustomer, CreditBalance, CustomerFlag, CustomerNote, TopUpCause
from billing.services.customers import freeze_customer, unfreeze_customer
from billing.services.flags import end_flag, standing_flags
from billing.services.overdraft import set_overdraft
from billing.services.top_ups.consenting import turn_off

_NEWEST_NOTES = 20


class ActsOnCustomer:
    """The buttons of a customer's page and the pages behind them."""

    # What the admin that this is mixed into brings.
    get_object: Callable[..., Any]
    has_view_permission: Callable[..., bool]
    log_change: Callable[..., Any]

    def has_freeze_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether spending may be frozen and flags lifted; the page itself stays read-only."""
        return bool(request.user.has_perm("billing.freeze_customer"))

    def has_note_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm("billing.add_customernote"))

    @page_action("Freeze", url_path="freeze", permissions=["freeze"])
    def freeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        customer, form = self.seen_customer(request, object_id), ReasonForm(request.POST or None)

        def act(reason: str, actor: User) -> None:
            freeze_customer(customer_id=customer.pk, reason=reason)

        if form.is_valid():
            return self._do(request, customer, form, verb="freeze", done="Frozen", act=act)
        question = "Debits and holds are refused from now on. Running work is settled, and credits still come in."
        return self._ask(request, customer, form, title="Freeze", question=question)

    @page_action("Lift the freeze", url_path="unfreeze", permissions=["freeze"])
    def unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        customer, form = self.seen_customer(request, object_id), ReasonForm(request.POST or None)

        def act(reason: str, actor: User) -> None:
            unfreeze_customer(customer_id=customer.pk, reason=reason, actor=actor)

        if form.is_valid():
            return self._do(request, customer, form, verb="unfreeze", done="Freeze lifted", act=act)
        freezing = [flag.reason for flag in standing_flags(customer_id=customer.pk) if flag.freezes]
        question = "The customer may spend again. Everything that freezes spending is lifted and stays so:"
        return self._ask(request, customer, form, title="Lift the freeze", question=question, lines=freezing)

    @page_action("Lift a flag", url_path="clear-flag", permissions=["freeze"])
    def clear_flag(self, request: HttpRequest, object_id: str) -> HttpResponse:
        customer = self.seen_customer(request, object_id)
        flags = standing_flags(customer_id=customer.pk)
        if not flags:
            messages.info(request, "No flag stands.")
            return redirect(page_address(customer))
        form = LiftFlagForm(request.POST or None, flags=flags, initial={"cause": request.GET.get("cause", "")})

        def act(reason: str, actor: User) -> None:
            end_flag(customer_id=customer.pk, cause=form.cleaned_data["cause"], reason=reason, actor=actor)

        if form.is_valid():
            return self._do(request, customer, form, verb="lift_flag", done="Flag cleared", act=act)
        question = "Do this when what the flag is about has been dealt with. It is not raised by the same cause again."
        return self._ask(request, customer, form, title="Lift a flag", question=question)

    @page_action("Set the overdraft", url_path="overdraft", permissions=["freeze"])
    def overdraft(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Who decides whether a customer may spend decides how far, too; credits are not given by it."""
        customer = self.seen_customer(request, object_id)
        form = OverdraftForm(request.POST or None, initial={"limit": f"{customer.balance.overdraft_limit:f}"})

        def act(reason: str, actor: User) -> None:
            set_overdraft(customer_id=customer.pk, limit=form.cleaned_data["limit"])

        if form.is_valid():
            return self._do(request, customer, form, verb="set_overdraft", done="Overdraft set", act=act)
        question = "Debits and holds may take the balance so far below zero. What is spent so is a debt all the same."
        return self._ask(request, customer, form, title="Set the overdraft", question=question)

    @page_action("Turn off automatic top-up", url_path="turn-off-top-up", permissions=["freeze"])
    def turn_off_top_up(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Off is all that staff can do: only the customer's own consent turns it on."""
        customer, form = self.seen_customer(request, object_id), ReasonForm(request.POST or None)

        def act(reason: str, actor: User) -> None:
            turn_off(customer_id=customer.pk, cause=TopUpCause.STAFF)

        if form.is_valid():
            return self._do(request, customer, form, verb="turn_off_top_up", done="Automatic top-up is off", act=act)
        question = "The saved card is not charged any more, and the customer is told. Only they can turn it on again."
        return self._ask(request, customer, form, title="Turn off automatic top-up", question=question)

    @page_action("Add a note", url_path="add-note", permissions=["note"])
    def add_note(self, request: HttpRequest, object_id: str) -> HttpResponse:
        customer, form = self.seen_customer(request, object_id), NoteForm(request.POST or None)
        if not form.is_valid():
            return self._ask(request, customer, form, title="Add a note", question="Staff see it on this page.")
        with transaction.atomic():
            note = CustomerNote.objects.create(
                customer=customer, author=_actor(request), text=form.cleaned_data["text"]
            )
            record_act(request=request, action="customernote.add", target=note, after={"text": note.text})
        messages.success(request, "The note is kept.")
        return redirect(page_address(customer))

    def notes_of(self, request: HttpRequest, customer: BillingCustomer) -> dict[str, Any]:
        """The newest notes and the form for another one, each where the member of staff may."""
        may_see = request.user.has_perm("billing.view_customernote")
        notes = CustomerNote.objects.filter(customer=customer).select_related("author").order_by("-created_at", "-pk")
        return {
            "notes": notes[:_NEWEST_NOTES] if may_see else [],
            "note_form": NoteForm() if self.has_note_permission(request) else None,
            "customer": customer,
        }

    def seen_customer(self, request: HttpRequest, object_id: str) -> BillingCustomer:
        """The customer of a page.

        Raises:
            Http404: there is none.
            PermissionDenied: this member of staff may not see it.
        """
        customer: BillingCustomer | None = self.get_object(request, object_id)
        if customer is None:
            raise Http404
        if not self.has_view_permission(request, customer):
            raise PermissionDenied
        return customer

    def _do(
        self,
        request: HttpRequest,
        customer: BillingCustomer,
        form: forms.Form,
        *,
        verb: str,
        done: str,
        act: Callable[[str, User], None],
    ) -> HttpResponse:
        """Act and write down what it changed, both or neither."""
        reason = form.cleaned_data["reason"]
        with transaction.atomic():
            before = _standing(customer)
            act(reason, _actor(request))
            was, now = compare(before=before, after=_standing(customer))
            has_changed = bool(was or now)
            if has_changed:
                record_act(
                    request=request, action=f"customer.{verb}", target=customer, before=was, after=now, reason=reason
                )
                self.log_change(request, customer, f"{done}: {reason}")
        if has_changed:
            messages.success(request, f"{done}.")
        else:
            messages.info(request, "It was so already; nothing has changed.")
        return redirect(page_address(customer))

    def _ask(
        self,
        request: HttpRequest,
        customer: BillingCustomer,
        form: forms.BaseForm,
        *,
        title: str,
        question: str,
        lines: list[str] | None = None,
    ) -> HttpResponse:
        return confirmation_page(
            model_admin=self,  # type: ignore[arg-type]
            request=request,
            title=title,
            subtitle=str(customer),
            question=question,
            button=title,
            back=page_address(customer),
            form=form,  # type: ignore[arg-type]
            lines=lines or (),
        )


def _actor(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _standing(customer: BillingCustomer) -> Snapshot:
    """The flags that stand, by cause, whether spending is frozen by them, how far it may go, and automatic top-up."""
    flags: list[CustomerFlag] = standing_flags(customer_id=customer.pk)
    overdraft = CreditBalance.objects.values_list("overdraft_limit", flat=True).get(pk=customer.pk)
    return {
        "flags": [flag.cause for flag in flags],
        "frozen": any(flag.freezes for flag in flags),
        "overdraft": str(overdraft),
        "top_up": AutoTopUp.objects.filter(pk=customer.pk).values_list("state", flat=True).first() or "off",
    }
