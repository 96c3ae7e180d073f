"""Webhooks that we send: who is told where, what was sent, and another try."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString

from accounts.audited import record_act
from billing.admin.base import (
    ReadOnlyAdmin,
    ReadOnlyInline,
    link_to,
    page_action,
    page_address,
    show_json,
    show_preformatted,
    shown,
)
from billing.admin.confirmations import confirmation_page
from billing.admin.search import FoundByCustomer
from billing.errors import DeliveryNotPossible
from billing.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from billing.services.webhook_messages import replay_delivery


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(FoundByCustomer, ReadOnlyAdmin):
    """Endpoints without their secrets, which nobody sees twice."""

    own_names = ("public_id", "url")
    list_display = ("public_id", "url", "owner_shown", "state_shown", "failing_since", "created_at")
    list_filter = ("is_enabled", ("customer", admin.EmptyFieldListFilter))
    list_display_links = ("public_id", "url")
    list_select_related = ("customer__user",)
    ordering = ("-created_at",)
    fields = (
        "public_id",
        "url",
        "description",
        "owner_shown",
        "created_by",
        "created_at",
        "events",
        "state_shown",
        "disabled_at",
        "disabled_reason",
        "failing_since",
        "failures_in_row",
        "deleted_at",
        "former_secret_until",
    )
    readonly_fields = fields

    @shown("Of")
    def owner_shown(self, endpoint: WebhookEndpoint) -> SafeString | str:
        return link_to(endpoint.customer) if endpoint.customer else "All customers"

    @shown("State", label={"Enabled": "success", "Failing": "warning", "Disabled": "danger"})
    def state_shown(self, endpoint: WebhookEndpoint) -> str:
        if endpoint.deleted_at is not None:
            return "Deleted"
        if not endpoint.is_enabled:
            return "Disabled"
        return "Failing" if endpoint.failing_since else "Enabled"


class AttemptInline(ReadOnlyInline):
    """The tries of a delivery, the newest first."""

    model = WebhookAttempt
    fields = ("attempted_at", "status", "error", "duration_ms", "excerpt_shown")
    readonly_fields = fields
    ordering = ("-attempted_at",)
    verbose_name_plural = "Attempts"

    @shown("Answer")
    def excerpt_shown(self, attempt: WebhookAttempt) -> SafeString | str:
        return show_preformatted(attempt.excerpt)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(FoundByCustomer, ReadOnlyAdmin):
    """Messages with their tries, and a replay."""

    own_names = ("public_id", "message_id", "endpoint__public_id")
    customer_path = "endpoint__customer"
    list_display = ("created_at", "event", "state_shown", "tries", "next_try_at", "endpoint_shown", "message_id")
    list_filter = ("state", "event")
    list_display_links = ("created_at", "event")
    list_select_related = ("endpoint",)
    ordering = ("-id",)
    inlines = (AttemptInline,)
    actions_detail = ("replay_this",)
    fields = (
        "public_id",
        "event",
        "message_id",
        "endpoint_shown",
        "state_shown",
        "tries",
        "created_at",
        "next_try_at",
        "give_up_at",
        "ended_at",
        "body_shown",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        queryset: QuerySet[WebhookDelivery] = super().get_queryset(request).select_related("endpoint__customer__user")
        return queryset

    def has_replay_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm("billing.change_webhookdelivery"))

    @page_action("Send again", url_path="replay", permissions=["replay"])
    def replay_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask first, then put this message back to its first try."""
        delivery: WebhookDelivery | None = self.get_object(request, object_id)
        if delivery is None:
            raise Http404
        if request.method == "POST":
            try:
                self._replay(request, delivery)
            except DeliveryNotPossible as refusal:
                messages.error(request, str(refusal))
            else:
                messages.success(request, "The message is sent again.")
            return redirect(page_address(delivery))
        return confirmation_page(
            model_admin=self,
            request=request,
            title="Send webhook again",
            subtitle=delivery.public_id,
            question="Sent once more with the same id and body, by which a receiver knows it again.",
            button="Send again",
            back=page_address(delivery),
            lines=[f"{delivery.event} · {delivery.message_id} · {delivery.state} · {delivery.endpoint.url}"],
        )

    def _replay(self, request: HttpRequest, delivery: WebhookDelivery) -> None:
        """Replay a message and write down who did it, both or neither."""
        before: dict[str, Any] = {"state": delivery.state, "tries": delivery.tries}
        with transaction.atomic():
            replay_delivery(delivery=delivery)
            after = {"state": "pending", "tries": 0}
            record_act(request=request, action="webhookdelivery.replay", target=delivery, before=before, after=after)
            self.log_change(request, delivery, "Replayed")

    @shown("State", ordering="state", label={"Pending": "info", "Delivered": "success", "Dead": "danger"})
    def state_shown(self, delivery: WebhookDelivery) -> str:
        return delivery.get_state_display()

    @shown("Endpoint")
    def endpoint_shown(self, delivery: WebhookDelivery) -> SafeString | str:
        return link_to(delivery.endpoint)

    @shown("Body")
    def body_shown(self, delivery: WebhookDelivery) -> SafeString | str:
        return show_json(delivery.body)
