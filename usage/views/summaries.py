"""Commit summaries: choose or paste, see what it would cost, start, watch, see what it cost."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.errors import BillingError, InvalidRequest
from billing.models import BillingCustomer
from billing.views.access import customer_page
from billing.views.balance import balance_of_page
from billing.views.payments import read_cursor
from billing.views.refusals import answer_refusal
from usage.models import CommitSummary, SummaryState
from usage.selectors.summaries import credits_held, find_summary, is_running, page_of_summaries
from usage.services.summaries import request_summary
from usage.services.summary_previews import preview_summary
from usage.services.summary_sources import SummarySource, source_of
from usage.views.summary_forms import FORMS, SourceForm, repository_names, takes_names

PAGE_SIZE = 20
POLL_SECONDS = 2
_NO_CONTENT = 204


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page
def summaries(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The summaries, newest first, and the forms for another one; a form sent here starts it."""
    if request.method != "POST":
        return _render_list(request, customer)
    form = _read_form(request)
    if not form.is_valid():
        return _render_list(request, customer, form=form, status=400)
    return _start(request, customer, form.source)


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page
def preview(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """What the thing named would cost; its form starts it. Nothing is held yet."""
    if request.method != "POST":
        return redirect("usage:summaries")
    form = _read_form(request)
    if not form.is_valid():
        return _render_list(request, customer, form=form, status=400)
    try:
        shown = preview_summary(customer_id=customer.pk, source=form.source)
    except InvalidRequest as refusal:
        form.add_error(None, str(refusal))
        return _render_list(request, customer, form=form, status=400)
    except BillingError as refusal:
        return answer_refusal(request, refusal)
    balance = balance_of_page(request, customer=customer, now=timezone.now())
    context = {
        "preview": shown,
        "balance": balance,
        "is_affordable": balance.spendable >= shown.held and not balance.is_frozen,
    }
    return render(request, "usage/summaries_preview.html", context)


@require_safe
@customer_page
def summary(request: HttpRequest, customer: BillingCustomer, public_id: str) -> HttpResponseBase:
    """One summary: where it is, what it says, what it was estimated at, and what it cost."""
    found = _find_or_404(customer, public_id)
    balance_of_page(request, customer=customer, now=timezone.now())
    return render(request, "usage/summaries_one.html", _context(found))


@require_safe
@customer_page
def summary_state(request: HttpRequest, customer: BillingCustomer, public_id: str) -> HttpResponseBase:
    """The part of that page that changes; 204 while it is what the page shows, so that nothing is read aloud again."""
    found = _find_or_404(customer, public_id)
    if request.GET.get("shown") == _mark(found):
        return HttpResponse(status=_NO_CONTENT)
    response = render(request, "usage/summaries_state.html", _context(found))
    if not is_running(found):
        response["HX-Trigger"] = "balance-changed"
    return response


@customer_page
@require_POST
def retry(request: HttpRequest, customer: BillingCustomer, public_id: str) -> HttpResponseBase:
    """Ask for a failed summary again."""
    found = _find_or_404(customer, public_id)
    if found.state != SummaryState.FAILED:
        return _to(found)
    try:
        return _start(request, customer, source_of(found))
    except InvalidRequest as refusal:
        return answer_refusal(request, refusal)


def _start(request: HttpRequest, customer: BillingCustomer, source: SummarySource) -> HttpResponseBase:
    try:
        return _to(request_summary(customer_id=customer.pk, source=source).summary)
    except BillingError as refusal:
        return answer_refusal(request, refusal)


def _to(found: CommitSummary) -> HttpResponseBase:
    response = redirect("usage:summary", public_id=found.public_id)
    return HttpResponseRedirect(response["Location"], status=303)


def _read_form(request: HttpRequest) -> SourceForm:
    """The form that was sent, by its name."""
    kind = FORMS.get(request.POST.get("form", ""))
    if kind is None:
        raise Http404("There is no such form.")
    return kind(request.POST)


def _render_list(
    request: HttpRequest, customer: BillingCustomer, *, form: SourceForm | None = None, status: int = 200
) -> HttpResponseBase:
    page = page_of_summaries(customer_id=customer.pk, before_id=read_cursor(request.GET.get("before")), limit=PAGE_SIZE)
    forms = {name: form if isinstance(form, kind) else kind(auto_id=f"{name}_%s") for name, kind in FORMS.items()}
    context: dict[str, Any] = {
        "summaries": page.summaries,
        "next_before": page.next_before_id,
        "is_first_page": "before" not in request.GET,
        "balance": balance_of_page(request, customer=customer, now=timezone.now()),
        "forms": forms,
        "takes_names": takes_names(),
        "repositories": repository_names() if takes_names() else [],
        "refused": form,
    }
    return render(request, "usage/summaries.html", context, status=status)


def _find_or_404(customer: BillingCustomer, public_id: str) -> CommitSummary:
    found = find_summary(customer_id=customer.pk, public_id=public_id)
    if found is None:
        raise Http404("No summary of this customer has that id.")
    return found


def _label(repository: str) -> str:
    """A repository as customers know it: where it lies on our machines is not told."""
    return repository.rpartition("/")[2] if repository.startswith("/") else repository


def _mark(found: CommitSummary) -> str:
    """What changes whenever the page would."""
    return f"{found.state}-{found.tries}-{found.failure_code}"


def _context(found: CommitSummary) -> dict[str, Any]:
    event = found.usage_event
    return {
        "summary": found,
        "repository": _label(found.repository),
        "event": event,
        "entry": event.entry if event else None,
        "ledger_before": event.entry.sequence + 1 if event and event.entry else None,
        "held": credits_held([found]).get(found.pk),
        "is_running": is_running(found),
        "mark": _mark(found),
        "poll_seconds": POLL_SECONDS,
    }
