"""The ledger: every movement of credits, with filters, sums and export."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.forms import LedgerFilterForm
from billing.models import BillingCustomer
from billing.selectors.entries import EntryFilter, page_of_entries, sum_entries
from billing.selectors.export import stream_ledger_csv
from billing.templatetags.billing_format import KIND_LABELS
from billing.views.access import customer_page
from billing.views.payments import read_cursor

PAGE_SIZE = 25


@require_safe
@customer_page
def ledger(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """A page of entries. A filter that cannot be read shows its fault and no entries.

    Sums are asked for apart, by the page itself: they read every entry of the filter, the page only a handful.
    """
    form = LedgerFilterForm(request.GET, kind_labels=KIND_LABELS)
    context = {
        "form": form,
        "is_filtered": False,
        "is_first_page": "before" not in request.GET,
        "first_query": "",
    }
    if not form.is_valid():
        return render(request, "billing/ledger.html", {**context, "entries": []}, status=400)
    chosen = {name: value for name in form.fields if (value := request.GET.get(name, "").strip())}
    page = page_of_entries(
        customer_id=customer.pk,
        kinds=form.kinds,
        since=form.since_at,
        until=form.until_at,
        before_sequence=read_cursor(request.GET.get("before")),
        limit=PAGE_SIZE,
    )
    context |= {
        "entries": page.entries,
        "next_before": page.next_before_sequence,
        "is_filtered": bool(chosen),
        "first_query": urlencode(chosen),
    }
    return render(request, "billing/ledger.html", context)


@require_safe
@customer_page
def ledger_sums(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """What the entries of the filter add up to, as a part of the ledger page."""
    form = LedgerFilterForm(request.GET, kind_labels=KIND_LABELS)
    sums = sum_entries(entry_filter=filter_of_form(form, customer)) if form.is_valid() else None
    return render(request, "billing/includes/ledger_sums.html", {"sums": sums})


@require_safe
@customer_page
def ledger_export(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """All entries of the filter as CSV, streamed, with exact decimals and times in UTC."""
    form = LedgerFilterForm(request.GET, kind_labels=KIND_LABELS)
    if not form.is_valid():
        return render(request, "400.html", status=400)
    pieces = stream_ledger_csv(entry_filter=filter_of_form(form, customer))
    response = StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="ledger-{timezone.now():%Y-%m-%d}.csv"'
    return response


def filter_of_form(form: LedgerFilterForm, customer: BillingCustomer) -> EntryFilter:
    """The entries of the customer that a valid form means."""
    return EntryFilter(customer.pk, form.kinds, form.since_at, form.until_at)
