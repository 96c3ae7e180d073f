"""What credits were spent on: by day, model and key, call by call, and as a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import ApiKey
from billing.models import BillingCustomer
from billing.views.access import customer_page
from usage.models import UsageEvent
from usage.selectors.usage_calls import find_call, find_usage_entry, page_of_calls, stream_usage_csv
from usage.selectors.usage_filter import NO_KEY, UsageFilter
from usage.selectors.usage_sums import BY_DAY, BY_KEY, BY_MODEL, UsageSum, find_keys, sum_usage, top_usage
from usage.views.rates import rates_of
from usage.views.usage_chart import draw_usage
from usage.views.usage_form import UsageForm

PAGE_SIZE = 25
TOP_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A line of the table by model or key: its name for people, and the address that narrows the page to it."""

    sum: UsageSum
    name: str
    query: str
    is_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A way to group, and its address."""

    name: str
    query: str
    is_current: bool


@require_safe
@customer_page
def usage(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """Chart, sums and calls of a period. A filter that cannot be read shows its fault and no figures."""
    now = timezone.now()
    form = _form_of(request, customer, now=now)
    if not form.is_valid():
        return render(request, "usage/usage.html", {"form": form}, status=400)
    chosen = form.usage_filter(customer_id=customer.pk)
    sums = sum_usage(chosen=chosen, by=form.by_chosen)
    page = page_of_calls(chosen=chosen, before=_read_cursor(request, customer), limit=PAGE_SIZE)
    context = {
        "form": form,
        "sums": sums,
        "groups": _groups_of(sums.groups, form=form, customer=customer),
        "by": form.by_chosen,
        "tabs": _tabs_of(form),
        "chart": draw_usage(sums.days),
        "days": [day for day in reversed(sums.days) if not day.is_empty],
        "calls": page.calls,
        "chosen": chosen,
        "without_model": urlencode({name: value for name, value in form.query.items() if name != "model"}),
        "next_before": page.next_before,
        "is_first_page": "before" not in request.GET,
        "first_query": urlencode(form.query),
        "as_of": now,
        "last_day": chosen.until - timedelta(days=1),
    }
    return render(request, "usage/usage.html", context)


@require_safe
@customer_page
def usage_export(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """All usage of the filter as CSV, streamed, with exact decimals and times in UTC."""
    form = _form_of(request, customer, now=timezone.now())
    if not form.is_valid():
        return render(request, "400.html", status=400)
    pieces = stream_usage_csv(chosen=form.usage_filter(customer_id=customer.pk))
    response = StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="usage-{timezone.now():%Y-%m-%d}.csv"'
    return response


@require_safe
@customer_page
def usage_top(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The models and keys that cost most in the last thirty days, as a part of the overview."""
    end = datetime.combine(timezone.now().astimezone(UTC).date() + timedelta(days=1), time.min, UTC)
    chosen = UsageFilter(customer_id=customer.pk, since=end - timedelta(days=TOP_DAYS), until=end)
    top = top_usage(chosen=chosen)
    keys = find_keys(key_ids=[line.name for line in top.keys])
    context = {
        "chart": draw_usage(top.days),
        "days": [day for day in reversed(top.days) if day.credits],
        "models": [_model_group(line, query={}) for line in top.models],
        "keys": [_key_group(line, keys=keys, query={}, customer=customer) for line in top.keys],
    }
    return render(request, "usage/usage_top.html", context)


@require_safe
@customer_page
def usage_call(request: HttpRequest, customer: BillingCustomer, call: str) -> HttpResponseBase:
    """One call: what it used, what it was held for and charged by which price, and its entry of the ledger."""
    event = find_call(customer_id=customer.pk, public_id=call)
    if event is None:
        raise Http404("There is no such call of this customer.")
    context = {
        "call": event,
        "key_name": _name_of_key(event.api_key, customer),
        "rates": rates_of(event.price) if event.price else None,
    }
    return render(request, "usage/usage_call.html", context)


@require_safe
@customer_page
def usage_of_entry(request: HttpRequest, customer: BillingCustomer, sequence: int) -> HttpResponseBase:
    """Where an entry of the ledger leads: to its call, to the call it corrects, or to what is known of a debit."""
    entry = find_usage_entry(customer_id=customer.pk, sequence=min(sequence, 2**63 - 1))
    if entry is None:
        raise Http404("There is no such entry of usage.")
    corrected = getattr(entry, "corrected_usage", None)
    event: UsageEvent | None = getattr(entry, "usage_event", None) or (corrected.usage_event if corrected else None)
    if event is not None:
        return redirect("usage:call", call=event.public_id)
    placed_by = entry.hold.placed_by if entry.hold else entry.source_id
    key_id = placed_by.removeprefix("key:")
    key = find_keys(key_ids=[key_id]).get(key_id)
    name = _name_of_key(key, customer) if key else ""
    return render(request, "usage/usage_debit.html", {"entry": entry, "key_name": name})


def _form_of(request: HttpRequest, customer: BillingCustomer, *, now: datetime) -> UsageForm:
    keys = list(ApiKey.objects.filter(user_id=customer.user_id).order_by("-created_at")) if customer.user_id else []
    return UsageForm(request.GET, keys=keys, now=now)


def _read_cursor(request: HttpRequest, customer: BillingCustomer) -> UsageEvent | None:
    before = request.GET.get("before")
    if before is None:
        return None
    event = find_call(customer_id=customer.pk, public_id=before)
    if event is None:
        raise Http404("The address names no page.")
    return event


def _tabs_of(form: UsageForm) -> list[Tab]:
    names = {BY_DAY: _("By day"), BY_MODEL: _("By model"), BY_KEY: _("By key")}
    return [
        Tab(name=name, query=urlencode({**form.query, "by": by}), is_current=by == form.by_chosen)
        for by, name in names.items()
    ]


def _groups_of(sums: list[UsageSum], *, form: UsageForm, customer: BillingCustomer) -> list[Group]:
    if form.by_chosen == BY_MODEL:
        return [_model_group(line, query=form.query) for line in sums]
    keys = find_keys(key_ids=[line.name for line in sums])
    return [_key_group(line, keys=keys, query=form.query, customer=customer) for line in sums]


def _model_group(line: UsageSum, *, query: dict[str, Any]) -> Group:
    if not line.name:
        return Group(sum=line, name=_("Direct debits"), query="")
    return Group(sum=line, name=line.name, query=urlencode({**query, "model": line.name}), is_code=True)


def _key_group(line: UsageSum, *, keys: dict[str, ApiKey], query: dict[str, Any], customer: BillingCustomer) -> Group:
    key = keys.get(line.name)
    if key is None:
        return Group(sum=line, name=_("Without a key"), query=urlencode({**query, "key": NO_KEY}))
    is_own = customer.user_id is not None and key.user_id == customer.user_id
    narrowed = urlencode({**query, "key": key.key_id}) if is_own else ""
    return Group(sum=line, name=_name_of_key(key, customer), query=narrowed)


def _name_of_key(key: ApiKey | None, customer: BillingCustomer) -> str:
    """A key's name for its owner; of somebody else's, who acts for the customer, only that it is not theirs."""
    if key is None:
        return ""
    is_own = customer.user_id is not None and key.user_id == customer.user_id
    return f"{key.name} (…{key.last_four})" if is_own else _("A key of the service")
