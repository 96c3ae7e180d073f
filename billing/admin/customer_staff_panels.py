"""What staff have to do with a customer: flags, findings, and what was done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey
from billing.admin.base import NOTHING, link, show_credits
from billing.admin.panels import NEWEST, Panel, link_to_page, make_panel, when
from billing.models import ApiKeySpending, AuditEntry, BillingCustomer, CustomerFlag, ReconciliationFinding
from billing.money import ZERO


def build_staff_panels(*, customer: BillingCustomer, may_lift: bool) -> list[Panel]:
    return [_flags(customer, may_lift=may_lift), _findings(customer), _keys(customer), _acts(customer)]


def _flags(customer: BillingCustomer, *, may_lift: bool) -> Panel:
    flags = CustomerFlag.objects.filter(customer=customer).select_related("ended_by").order_by("-raised_at", "-pk")
    lifting = reverse("admin:billing_billingcustomer_clear_flag", args=[customer.pk])
    rows = [
        [
            link_to_page(flag, when(flag.raised_at)),
            flag.cause,
            flag.reason,
            "yes" if flag.freezes else "no",
            _end_of(flag, lifting=lifting if may_lift else ""),
        ]
        for flag in flags[:NEWEST]
    ]
    return make_panel(
        title="Flags",
        model=CustomerFlag,
        headers=["Raised", "Cause", "Reason", "Freezes", "Lifted"],
        rows=rows,
        empty="Nothing asks for a look at this customer.",
        filters={"customer__id__exact": customer.pk},
    )


def _end_of(flag: CustomerFlag, *, lifting: str) -> Any:
    """Who lifted it, when and why, or where to."""
    if flag.ended_at is None:
        return link(f"{lifting}?{urlencode({'cause': flag.cause})}", "Lift it") if lifting else "stands"
    by = f" by {flag.ended_by.email}" if flag.ended_by else ""
    return f"{when(flag.ended_at)}{by}: {flag.ended_reason}"


def _findings(customer: BillingCustomer) -> Panel:
    findings = ReconciliationFinding.objects.filter(customer=customer).order_by("-first_seen_at", "-pk")
    rows = [
        [
            link_to_page(finding, when(finding.first_seen_at)),
            finding.kind,
            finding.get_severity_display(),
            finding.detail,
            finding.get_state_display(),
        ]
        for finding in findings[:NEWEST]
    ]
    return make_panel(
        title="Findings of the reconciliation",
        model=ReconciliationFinding,
        headers=["Seen", "Kind", "Severity", "What does not agree", "State"],
        rows=rows,
        empty="Everything agrees.",
        filters={"q": customer.public_id},
    )


def _keys(customer: BillingCustomer) -> Panel:
    """The keys of the customer's user, newest first, with what each has spent this month."""
    now = timezone.now()
    keys = ApiKey.objects.filter(user=customer.user_id) if customer.user_id else ApiKey.objects.none()
    shown = list(keys.order_by("-pk")[:NEWEST])
    month = now.astimezone(UTC).date().replace(day=1)
    spendings = ApiKeySpending.objects.filter(api_key__in=shown, month=month)
    spent = dict(spendings.values_list("api_key_id", "spent"))
    rows = [
        [
            link_to_page(key, f"{key.prefix}_{key.key_id}…{key.last_four}"),
            key.name,
            ", ".join(key.scopes),
            f"{show_credits(spent.get(key.pk, ZERO))} of {show_credits(key.monthly_limit)}",
            when(key.last_used_at),
            _state_of(key, now=now),
        ]
        for key in shown
    ]
    return make_panel(
        title="API keys",
        model=ApiKey,
        headers=["Key", "Name", "Scopes", "Spent this month, limit", "Last used", "State"],
        rows=rows,
        empty="No program speaks for this customer.",
        filters={"user__id__exact": customer.user_id},
    )


def _state_of(key: ApiKey, *, now: datetime) -> str:
    if key.revoked_at:
        return f"revoked {when(key.revoked_at)}"
    if key.expires_at is None:
        return "live"
    return f"{'ends' if key.expires_at > now else 'ended'} {when(key.expires_at)}"


def _acts(customer: BillingCustomer) -> Panel:
    entries = AuditEntry.objects.filter(customer=customer).select_related("actor").order_by("-at", "-pk")
    rows = [
        [
            link_to_page(entry, when(entry.at)),
            entry.actor.email if entry.actor else "the system",
            entry.action,
            entry.reason or NOTHING,
        ]
        for entry in entries[:NEWEST]
    ]
    return make_panel(
        title="What staff did",
        model=AuditEntry,
        headers=["When", "Who", "What", "Why"],
        rows=rows,
        empty="Staff have done nothing here.",
        filters={"q": customer.public_id},
    )
