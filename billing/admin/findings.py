"""Findings, to look at: both sides next to each other; repairs and acceptances go through services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Count, Q, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from billing.admin.base import (
    NOTHING,
    ReadOnlyAdmin,
    customer_of,
    link,
    link_to,
    page_action,
    page_address,
    shown,
)
from billing.admin.finding_page import accept_page, repair_page, sides_of, ways_out_of
from billing.admin.links import link_to_stripe
from billing.admin.search import FoundByCustomer
from billing.models import FindingState, ReconciliationFinding, Severity
from billing.services.reconciliation.kinds import BUCKET_LABELS, FINDING_KINDS, Bucket
from billing.services.reconciliation.repairing import is_repairable

MAY_RECONCILE = "billing.run_reconciliation"
_SEVERITIES = {"Critical": "danger", "High": "warning", "Medium": "info", "Low": "primary"}
_STATES = {"Open": "danger", "Repaired": "success", "Accepted by staff": "info", "No longer so": "primary"}


def kinds_in(bucket: str) -> list[str]:
    """The kinds of findings that staff find in a bucket."""
    return [kind.name for kind in FINDING_KINDS.values() if kind.bucket == bucket]


class BucketFilter(admin.SimpleListFilter):
    """By what does not agree."""

    title, parameter_name = "what differs", "bucket"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(bucket.value, label) for bucket, label in BUCKET_LABELS.items()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReconciliationFinding]
    ) -> QuerySet[ReconciliationFinding]:
        return queryset.filter(kind__in=kinds_in(self.value() or "")) if self.value() else queryset


class KindFilter(admin.SimpleListFilter):
    """By kind, in the words of docs/reconciliation.md."""

    title, parameter_name = "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.name, kind.label) for kind in FINDING_KINDS.values()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReconciliationFinding]
    ) -> QuerySet[ReconciliationFinding]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


_MOST_SEVERE_FIRST = Case(*(When(severity=severity, then=Value(place)) for place, severity in enumerate(Severity)))


@admin.register(ReconciliationFinding)
class FindingAdmin(FoundByCustomer, ReadOnlyAdmin):
    """What does not agree: both sides next to each other, and the ways out."""

    list_display = (
        "severity_shown",
        "kind_shown",
        "customer_shown",
        "payment_shown",
        "stripe_shown",
        "detail",
        "age_shown",
        "state_shown",
    )
    list_filter = ("state", BucketFilter, "severity", KindFilter, ("occurred_at", admin.DateFieldListFilter))
    list_display_links = ("severity_shown", "kind_shown")
    list_select_related = ("customer__user", "payment")
    list_before_template = "admin/billing/finding_buckets.html"
    change_form_before_template = "admin/billing/finding_sides.html"
    ordering = (_MOST_SEVERE_FIRST, "-first_seen_at", "-pk")
    own_names = ("stripe_id", "fingerprint")
    payment_path = "payment"
    actions_detail = ("repair", "accept")
    fields = readonly_fields = (
        "severity_shown",
        "kind_shown",
        "state_shown",
        "detail",
        "suggested_repair",
        "customer_shown",
        "payment_shown",
        "stripe_shown",
        "occurred_at",
        "age_shown",
        "first_seen_at",
        "last_seen_at",
        "run_shown",
        "ended_at",
        "ended_by",
        "ended_reason",
    )

    def has_reconcile_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm(MAY_RECONCILE))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only what makes sense now: nothing to do about what has ended, no repair where a person must decide."""
        finding = self.get_object(request, str(object_id))
        offered: list[Any] = super().get_actions_detail(request, object_id)
        if finding is None or finding.state != FindingState.OPEN:
            return []
        return [each for each in offered if is_repairable(finding) or not each.action_name.endswith("repair")]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list beneath its buckets, each with the number of open findings."""
        buckets = _buckets() if self.has_view_permission(request) else []
        response: HttpResponse = super().changelist_view(request, {**(extra_context or {}), "finding_buckets": buckets})
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The finding with both sides, and links to the ways out that a person has to choose from."""
        finding = self.get_object(request, object_id) if self.has_view_permission(request) else None
        context = {**(extra_context or {})}
        if finding is not None:
            may_reconcile = self.has_reconcile_permission(request)
            context |= {"sides": sides_of(finding), "ways_out": ways_out_of(finding, request) if may_reconcile else []}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    @page_action("Repair", url_path="repair", permissions=["reconcile"])
    def repair(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the repair would do now; with a reason it is done."""
        return repair_page(model_admin=self, request=request, finding=self._finding(request, object_id))

    @page_action("Accept as it is", url_path="accept", permissions=["reconcile"])
    def accept(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then leave things as they are."""
        return accept_page(model_admin=self, request=request, finding=self._finding(request, object_id))

    def _finding(self, request: HttpRequest, object_id: str) -> ReconciliationFinding:
        finding: ReconciliationFinding | None = self.get_object(request, object_id)
        if finding is None:
            raise Http404
        if not self.has_view_permission(request, finding):
            raise PermissionDenied
        return finding

    @shown("Severity", ordering="severity", label=_SEVERITIES)
    def severity_shown(self, finding: ReconciliationFinding) -> str:
        return str(finding.get_severity_display())

    @shown("What", ordering="kind")
    def kind_shown(self, finding: ReconciliationFinding) -> str:
        known = FINDING_KINDS.get(finding.kind)
        return known.label if known else finding.kind

    @shown("State", ordering="state", label=_STATES)
    def state_shown(self, finding: ReconciliationFinding) -> str:
        return str(finding.get_state_display())

    @shown("Customer")
    def customer_shown(self, finding: ReconciliationFinding) -> SafeString | str:
        return customer_of(finding)

    @shown("Payment")
    def payment_shown(self, finding: ReconciliationFinding) -> SafeString | str:
        return link(page_address(finding.payment), finding.payment.public_id) if finding.payment else NOTHING

    @shown("At Stripe")
    def stripe_shown(self, finding: ReconciliationFinding) -> SafeString | str:
        return link_to_stripe(finding.stripe_id)

    @shown("Age", ordering="-occurred_at")
    def age_shown(self, finding: ReconciliationFinding) -> str:
        return timesince(finding.occurred_at, finding.ended_at or timezone.now(), depth=1)

    @shown("Last seen by")
    def run_shown(self, finding: ReconciliationFinding) -> SafeString | str:
        return link_to(finding.last_run)


def _buckets() -> list[dict[str, Any]]:
    """Open findings by what differs, critical ones beside."""
    rows = ReconciliationFinding.objects.filter(state=FindingState.OPEN).values("kind")
    counts = {
        row["kind"]: row
        for row in rows.annotate(count=Count("pk"), critical=Count("pk", filter=Q(severity=Severity.CRITICAL)))
    }
    base = reverse("admin:billing_reconciliationfinding_changelist")
    return [
        {
            "label": BUCKET_LABELS[bucket],
            "count": sum(counts[name]["count"] for name in kinds_in(bucket) if name in counts),
            "critical": sum(counts[name]["critical"] for name in kinds_in(bucket) if name in counts),
            "address": f"{base}?bucket={bucket.value}&state__exact=open",
        }
        for bucket in Bucket
    ]
