"""The inbox: every event that Stripe delivered, how far it came, and another try."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.audited import record_act
from billing.admin.base import (
    NOTHING,
    ReadOnlyAdmin,
    link_to,
    list_address,
    page_action,
    page_address,
    show_json,
    show_preformatted,
    shown,
)
from billing.admin.confirmations import confirmation_page
from billing.admin.links import link_to_stripe
from billing.admin.search import payments_for, rows_named
from billing.models import BillingCustomer, Payment, StripeEvent
from billing.webhooks.replay import replay_event

_AT_ONCE = 200
_SHOWN = 20
_QUESTION = "Worked off again, from the first try. What was done changes nothing a second time; ignored events stay so."


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    """Events, with their body, what went wrong, and a replay."""

    list_display = ("received_at", "type", "state_shown", "object_shown", "reason", "tries", "event_id")
    list_filter = ("state", "livemode", "type")
    list_display_links = ("received_at", "type")
    search_fields = ("event_id",)
    search_help_text = "Id of an event or of any object it names, of Stripe's or ours, or an e-mail address"
    ordering = ("-received_at",)
    actions = ("replay",)
    actions_detail = ("replay_this",)
    fields = (
        "event_shown",
        "type",
        "state_shown",
        "reason",
        "tries",
        "next_try_at",
        "about_shown",
        "object_shown",
        "related_shown",
        "livemode",
        "api_version",
        "account",
        "occurred_at",
        "received_at",
        "parked_at",
        "done_at",
        "redacted_at",
        "traceback_shown",
        "body_shown",
    )
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StripeEvent], search_term: str
    ) -> tuple[QuerySet[StripeEvent], bool]:
        """By any id that an event carries; for an e-mail address, by the customer's and their payments' ids."""
        term = search_term.strip()
        if not term:
            return queryset, False
        names = _names_of(term)
        return queryset.filter(Q(event_id=term) | Q(object_id__in=names) | Q(related_ids__overlap=names)), False

    def has_replay_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm("billing.change_stripeevent"))

    @admin.action(description="Replay", permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> HttpResponse | None:
        """Ask first, then put the events back to the start of the inbox's work."""
        events = list(queryset.order_by("received_at")[: _AT_ONCE + 1])
        if len(events) > _AT_ONCE:
            messages.error(request, f"Choose at most {_AT_ONCE} events, or use the command replay_stripe_events.")
            return None
        if "confirm" in request.POST:
            replayed = [event for event in events if self._replay(request, event)]
            messages.success(request, f"{len(replayed)} of {len(events)} events are worked off again.")
            return None
        more = [f"and {len(events) - _SHOWN} more"] if len(events) > _SHOWN else []
        return confirmation_page(
            model_admin=self,
            request=request,
            title="Replay events",
            subtitle=f"{len(events)} chosen",
            question=_QUESTION,
            button="Replay",
            back=list_address(StripeEvent),
            lines=[_line(event) for event in events[:_SHOWN]] + more,
            hidden=[("action", "replay"), ("index", "0"), *((ACTION_CHECKBOX_NAME, str(event.pk)) for event in events)],
        )

    @page_action("Replay", url_path="replay", permissions=["replay"])
    def replay_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask first, then put this event back to the start of the inbox's work."""
        event: StripeEvent | None = self.get_object(request, object_id)
        if event is None:
            raise Http404
        if request.method == "POST":
            if self._replay(request, event):
                messages.success(request, "The event is worked off again.")
            else:
                messages.warning(request, "Ignored events may not be trusted and are never replayed.")
            return redirect(page_address(event))
        return confirmation_page(
            model_admin=self,
            request=request,
            title="Replay event",
            subtitle=event.event_id,
            question=_QUESTION,
            button="Replay",
            back=page_address(event),
            lines=[_line(event)],
        )

    def _replay(self, request: HttpRequest, event: StripeEvent) -> bool:
        """Replay an event and write down who did it, both or neither; whether it may be replayed at all.

        The worker that is woken may look before this is committed: then the sweeper works the event off.
        """
        before = {"state": event.state, "reason": event.reason}
        with transaction.atomic():
            is_due = replay_event(event_id=event.event_id)
            if is_due:
                after = {"state": "pending"}
                record_act(request=request, action="stripeevent.replay", target=event, before=before, after=after)
                self.log_change(request, event, "Replayed")
        return is_due

    @shown(
        "State",
        ordering="state",
        label={"Pending": "info", "Done": "success", "Parked": "warning", "Ignored": "primary", "Dead": "danger"},
    )
    def state_shown(self, event: StripeEvent) -> str:
        return event.get_state_display()

    @shown("Object")
    def object_shown(self, event: StripeEvent) -> SafeString | str:
        return link_to_stripe(event.object_id)

    @shown("Event")
    def event_shown(self, event: StripeEvent) -> SafeString | str:
        return link_to_stripe(event.event_id)

    @shown("About")
    def about_shown(self, event: StripeEvent) -> SafeString | str:
        """The customers and payments of ours that it names."""
        rows = rows_named({event.object_id, *event.related_ids} - {""})
        return format_html_join("", "<div>{}</div>", ([link_to(row)] for row in rows)) or NOTHING

    @shown("Names these ids")
    def related_shown(self, event: StripeEvent) -> SafeString | str:
        return show_preformatted("\n".join(event.related_ids))

    @shown("Body")
    def body_shown(self, event: StripeEvent) -> SafeString | str:
        return show_json(event.body)

    @shown("Traceback")
    def traceback_shown(self, event: StripeEvent) -> SafeString | str:
        return show_preformatted(event.traceback)


def _line(event: StripeEvent) -> str:
    return f"{event.type} · {event.event_id} · {event.state}"


def _names_of(term: str) -> list[str]:
    """The ids under which events may speak of what staff search for."""
    if "@" in term:
        customers = BillingCustomer.objects.filter(user__email__icontains=term)[:_AT_ONCE]
        payments = Payment.objects.filter(customer__in=[customer.pk for customer in customers])[:_AT_ONCE]
        stripe_ids = [customer.stripe_customer_id for customer in customers if customer.stripe_customer_id]
        return [*stripe_ids, *_names_of_payments(payments)]
    payments = Payment.objects.filter(pk__in=[payment_id for payment_id, _ in payments_for(term)])
    return [term, *_names_of_payments(payments)]


def _names_of_payments(payments: Any) -> list[str]:
    names = ((each.public_id, each.checkout_session_id, each.payment_intent_id, each.charge_id) for each in payments)
    return [name for group in names for name in group if name]
