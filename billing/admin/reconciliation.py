"""Runs of reconciliation, to look at, and a new one for a window that staff choose."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString

from accounts.audited import record_act
from billing import wake
from billing.admin.base import (
    NOTHING,
    ReadOnlyAdmin,
    link,
    list_address,
    page_action,
    shown,
)
from billing.admin.confirmations import confirmation_page
from billing.admin.findings import MAY_RECONCILE
from billing.admin.panels import when
from billing.admin.reconciliation_forms import RunForm
from billing.admin.refund_page import acting_user
from billing.models import ReconciliationFinding, ReconciliationRun, RunState
from billing.services.reconciliation.kinds import FINDING_KINDS

_RUN_STATES = {
    "Running": "info",
    "Clean": "success",
    "All repaired": "success",
    "Findings left": "danger",
    "Failed": "danger",
}
_NO_WORKER = "No worker can be reached. Start it from the shell: manage.py reconcile_stripe --since … --repair"


@admin.register(ReconciliationRun)
class RunAdmin(ReadOnlyAdmin):
    """Runs: when, over which time, what was compared, what did not agree."""

    list_display = (
        "started_at",
        "kind",
        "trigger",
        "window_shown",
        "repairs",
        "compared_shown",
        "findings_shown",
        "left_shown",
        "state_shown",
    )
    list_filter = ("kind", "state", "trigger", ("started_at", admin.DateFieldListFilter))
    list_display_links = ("started_at",)
    ordering = ("-started_at", "-pk")
    actions_list = ("run_now",)
    fields = readonly_fields = (
        "kind",
        "state_shown",
        "trigger",
        "started_by",
        "window_shown",
        "customer",
        "repairs",
        "started_at",
        "ended_at",
        "compared_shown",
        "findings_shown",
        "left_shown",
        "balance_shown",
        "error",
    )

    def has_reconcile_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm(MAY_RECONCILE))

    @page_action("Run now", url_path="run-now", permissions=["reconcile"])
    def run_now(self, request: HttpRequest) -> HttpResponse:
        """Ask for the window, then let a worker compare it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = RunForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            _start(request, form.cleaned_data)
            return redirect(list_address(ReconciliationRun))
        return confirmation_page(
            model_admin=self,
            request=request,
            title="Run now",
            subtitle="Compare a window of time with Stripe",
            question="A worker reads Stripe's lists and ours. The run appears in the list when it has begun.",
            button="Run now",
            back=list_address(ReconciliationRun),
            form=form,
        )

    @shown("State", ordering="state", label=_RUN_STATES)
    def state_shown(self, run: ReconciliationRun) -> str:
        return str(run.get_state_display())

    @shown("Window")
    def window_shown(self, run: ReconciliationRun) -> str:
        return (
            f"{when(run.since)} to {when(run.until) if run.until else 'the start of the run'}" if run.since else NOTHING
        )

    @shown("Compared")
    def compared_shown(self, run: ReconciliationRun) -> str:
        objects = run.counts.get("objects", {})
        return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in objects.items() if count) or NOTHING

    @shown("Found")
    def findings_shown(self, run: ReconciliationRun) -> SafeString | str:
        counts = run.counts.get("findings", {})
        labels = {name: FINDING_KINDS[name].label if name in FINDING_KINDS else name for name in counts}
        told = ", ".join(f"{labels[name]}: {count:,}" for name, count in counts.items())
        return link(list_address(ReconciliationFinding, {"last_run__id__exact": run.pk}), told) if told else NOTHING

    @shown("Left")
    def left_shown(self, run: ReconciliationRun) -> str:
        return f"{run.counts.get('left', 0):,}" if run.state != RunState.RUNNING else NOTHING

    @shown("Stripe's balance")
    def balance_shown(self, run: ReconciliationRun) -> str:
        """Fees among it: they are the seller's, and appear nowhere else."""
        sums = run.counts.get("balance", {})
        return (
            "; ".join(
                f"{currency.upper()}: {one['gross_minor']:,} gross, {one['fee_minor']:,} fees, {one['net_minor']:,} net"
                for currency, one in sorted(sums.items())
            )
            + (" (minor units)" if sums else "")
            or NOTHING
        )


def _start(request: HttpRequest, window: dict[str, Any]) -> None:
    since, until, repairs = window["since"], window["until"], bool(window["repairs"])
    actor = acting_user(request)
    arguments = (since.isoformat(), until.isoformat() if until else "", int(repairs), actor.pk)
    with transaction.atomic():
        record_act(
            request=request,
            action="reconciliation.start",
            after={"since": arguments[0], "until": arguments[1], "repairs": repairs},
        )
    if wake.wake_task(name=wake.RECONCILE_WINDOW, arguments=arguments):
        messages.success(request, "A worker compares that window. Reload the list to see how far it is.")
    else:
        messages.error(request, _NO_WORKER)
