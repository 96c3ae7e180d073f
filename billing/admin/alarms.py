"""Alarms of staff: what is wrong now, and what was."""

from __future__ import annotations

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, shown
from billing.models import StaffAlarm


@admin.register(StaffAlarm)
class StaffAlarmAdmin(ReadOnlyAdmin):
    """Episodes, the newest first; docs/operations.md says what to do."""

    list_display = ("since", "kind", "state_shown", "detail", "last_seen_at", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "kind")
    list_display_links = ("since", "kind")
    ordering = ("-since",)
    fields = ("kind", "state_shown", "detail", "since", "last_seen_at", "ended_at")
    readonly_fields = fields

    @shown("State", label={"Active": "danger", "Over": "success"})
    def state_shown(self, alarm: StaffAlarm) -> str:
        return "Over" if alarm.ended_at else "Active"
