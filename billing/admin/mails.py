"""Mails that were sent, wait or are dead, and notices, which they are made of."""

from __future__ import annotations

import json

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString

from accounts.network import client_address
from billing.admin.base import (
    ReadOnlyAdmin,
    customer_of,
    link_to,
    page_action,
    page_address,
    show_json,
    show_preformatted,
    shown,
)
from billing.admin.confirmations import confirmation_page
from billing.admin.forms import ReasonForm
from billing.admin.refund_page import acting_user
from billing.models import MailState, Notice, OutgoingMail
from billing.services.mails import send_again

_STATES = {"Pending": "info", "Sent": "success", "Dead": "danger"}
_QUESTION = "It is sent from the first try on, with the words that follow from its notice."


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    """The outbox of mails. A dead one can be sent again, with a reason."""

    list_display = ("created_at", "kind", "to", "state_shown", "tries", "next_try_at", "last_error")
    list_filter = ("state", "kind")
    list_display_links = ("created_at", "kind")
    list_select_related = ("customer__user",)
    search_fields = ("to__iexact", "public_id__exact", "customer__public_id__exact")
    search_help_text = "Address, id of the mail or of the customer"
    ordering = ("-created_at",)
    actions_detail = ("send_again",)
    fields = (
        "public_id",
        "customer_shown",
        "notice_shown",
        "kind",
        "to",
        "state_shown",
        "tries",
        "next_try_at",
        "sent_at",
        "last_error",
        "subject",
        "text_shown",
        "created_at",
    )
    readonly_fields = fields

    def has_resend_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm("billing.resend_mail"))

    @page_action("Send again", url_path="send-again", permissions=["resend"])
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then put the mail back to its first try."""
        mail: OutgoingMail | None = self.get_object(request, object_id)
        if mail is None:
            raise Http404
        if mail.state != MailState.DEAD:
            messages.info(request, "Only dead mails are sent again; nothing was done.")
            return redirect(page_address(mail))
        form = ReasonForm(request.POST or None)
        if form.is_valid():
            self._send(request, mail, reason=form.cleaned_data["reason"])
            return redirect(page_address(mail))
        return confirmation_page(
            model_admin=self,
            request=request,
            title="Send again",
            subtitle=mail.public_id,
            question=_QUESTION,
            button="Send again",
            back=page_address(mail),
            form=form,
            lines=[f"{mail.kind} · {mail.to} · {mail.last_error}"],
        )

    def _send(self, request: HttpRequest, mail: OutgoingMail, *, reason: str) -> None:
        is_due = send_again(
            mail_id=mail.public_id, actor=acting_user(request), reason=reason, address=client_address(request)
        )
        if is_due:
            self.log_change(request, mail, f"Sent again: {reason}")
            messages.success(request, "The mail is sent again.")
        else:
            messages.info(request, "Somebody has sent it again meanwhile.")

    @shown("State", ordering="state", label=_STATES)
    def state_shown(self, mail: OutgoingMail) -> str:
        return mail.get_state_display()

    @shown("Customer")
    def customer_shown(self, mail: OutgoingMail) -> SafeString | str:
        return customer_of(mail)

    @shown("Notice")
    def notice_shown(self, mail: OutgoingMail) -> SafeString | str:
        return link_to(mail.notice)

    @shown("Text")
    def text_shown(self, mail: OutgoingMail) -> SafeString | str:
        return show_preformatted(mail.text)


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """What was announced, to whom it concerns; its mails and webhooks were made of it."""

    list_display = ("occurred_at", "event", "customer_shown", "expanded_at", "public_id")
    list_filter = ("event",)
    list_display_links = ("occurred_at", "event")
    list_select_related = ("customer__user",)
    search_fields = ("public_id__exact", "key__exact", "customer__public_id__exact", "customer__user__email__iexact")
    search_help_text = "Id of the notice, of what it tells of, or of the customer, or an e-mail address"
    ordering = ("-occurred_at", "-pk")
    fields = (
        "public_id",
        "event",
        "customer_shown",
        "key",
        "payload_shown",
        "occurred_at",
        "created_at",
        "expanded_at",
        "dismissed_at",
        "mails_shown",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notice]:
        rows: QuerySet[Notice] = super().get_queryset(request)
        return rows.prefetch_related("mails")

    @shown("Customer", ordering="customer")
    def customer_shown(self, notice: Notice) -> SafeString | str:
        return customer_of(notice)

    @shown("Payload")
    def payload_shown(self, notice: Notice) -> SafeString | str:
        return show_json(json.dumps(notice.payload))

    @shown("Mails")
    def mails_shown(self, notice: Notice) -> SafeString | str:
        mail = next(iter(notice.mails.all()), None)
        return link_to(mail)
