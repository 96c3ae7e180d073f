"""Webhooks: the endpoints of a customer, what was sent to each, and making one.

The secret of a new endpoint is in the answer to the form that made it, and nowhere else. Staff who may add endpoints
see those of the installation beside their own.
"""

from collections.abc import Callable

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from accounts.audited import record_act
from accounts.form_tokens import new_form_token, take_form_token
from accounts.models import User
from accounts.second_factor import lacks_second_factor
from billing.errors import BillingError, InvalidRequest, WebhookEndpointNotFound
from billing.forms import WebhookEndpointForm
from billing.models import BillingCustomer, WebhookEndpoint
from billing.selectors.webhooks import list_endpoints, page_of_deliveries
from billing.services.webhook_endpoints import (
    MAX_ENDPOINTS,
    OVERLAP,
    NewSecret,
    change_endpoint,
    create_endpoint,
    find_endpoint,
)
from billing.views.access import customer_page
from billing.views.payments import read_cursor

PAGE_SIZE = 25


@require_safe
@customer_page
def webhooks(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The endpoints, the newest first."""
    endpoints = list(list_endpoints(customer=customer, with_all=may_act_for_all(request)))
    own = sum(endpoint.customer_id is not None for endpoint in endpoints)
    context = {"endpoints": endpoints, "most": MAX_ENDPOINTS, "is_full": own >= MAX_ENDPOINTS}
    return render(request, "billing/webhooks.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page
@sensitive_variables()
def new_webhook(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The form for a new endpoint, and the answer that shows its secret once."""
    offers_all = may_act_for_all(request)
    if request.method != "POST":
        form = WebhookEndpointForm(
            offers_all=offers_all, initial={"form_token": new_form_token(request.session), "events": _usual_events()}
        )
        return render(request, "billing/webhook_new.html", {"form": form})
    form = WebhookEndpointForm(request.POST, offers_all=offers_all)
    if not form.is_valid():
        return render(request, "billing/webhook_new.html", {"form": form}, status=400)
    owner = None if form.cleaned_data.get("is_of_all") else customer

    def make() -> NewSecret:
        return create_endpoint(
            customer=owner,
            url=form.cleaned_data["url"],
            events=form.cleaned_data["events"],
            description=form.cleaned_data["description"],
            created_by=signed_in(request),
        )

    try:
        made = act_once(request, token=form.cleaned_data["form_token"], act=make, verb="add")
    except BillingError as refusal:
        field = refusal.field if isinstance(refusal, InvalidRequest) and refusal.field in form.fields else None
        form.add_error(field, refusal.remedy if isinstance(refusal, InvalidRequest) else str(refusal))
        sent = request.POST.copy()
        sent["form_token"] = new_form_token(request.session)
        form.data = sent
        return render(request, "billing/webhook_new.html", {"form": form}, status=400)
    return show_secret(request, made) if made else sent_already(request)


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page
def webhook(request: HttpRequest, customer: BillingCustomer, endpoint: str) -> HttpResponseBase:
    """One endpoint: what it is told of, which can be changed, and what was sent to it."""
    row = find_own(request, customer, endpoint)
    initial = {"events": row.events, "description": row.description}
    form = WebhookEndpointForm(request.POST if request.method == "POST" else None, initial=initial, is_new=False)
    if form.is_valid():
        with transaction.atomic():
            change_endpoint(
                endpoint=row, events=form.cleaned_data["events"], description=form.cleaned_data["description"]
            )
            tell_audit_log(request, row, "change", events=row.events)
        messages.success(request, _("Saved."))
        return redirect("billing:webhook", endpoint=row.public_id)
    deliveries, next_before = page_of_deliveries(
        endpoint=row, before_id=read_cursor(request.GET.get("before")), limit=PAGE_SIZE
    )
    context = {
        "endpoint": row,
        "form": form,
        "deliveries": deliveries,
        "next_before": next_before,
        "is_first_page": "before" not in request.GET,
        "first_query": "",
    }
    return render(request, "billing/webhook.html", context, status=400 if form.is_bound else 200)


def find_own(request: HttpRequest, customer: BillingCustomer, public_id: str) -> WebhookEndpoint:
    """The customer's endpoint of that id, to staff who may also one of the installation; others' do not exist."""
    owners = [customer, None] if may_act_for_all(request) else [customer]
    for owner in owners:
        try:
            return find_endpoint(public_id=public_id, customer=owner)
        except WebhookEndpointNotFound:
            continue
    raise Http404("There is no such endpoint of this customer.")


def may_act_for_all(request: HttpRequest) -> bool:
    """Whether somebody is staff who may let all customers' events be sent."""
    user = signed_in(request)
    return user.is_staff and user.has_perm("billing.add_webhookendpoint") and not lacks_second_factor(user)


def signed_in(request: HttpRequest) -> User:
    """The user behind a customer's page."""
    if not isinstance(request.user, User):
        raise TypeError("The page let somebody in who is not a user.")
    return request.user


def act_once(request: HttpRequest, *, token: str, act: Callable[[], NewSecret], verb: str) -> NewSecret | None:
    """What the act gives; None where the form was sent already."""
    with transaction.atomic():
        if not take_form_token(session=request.session, user=signed_in(request), token=token):
            return None
        made = act()
        tell_audit_log(request, made.endpoint, verb, host=made.endpoint.host)
    return made


def tell_audit_log(request: HttpRequest, endpoint: WebhookEndpoint, verb: str, **after: object) -> None:
    """What is done to an endpoint of all customers is an act of staff."""
    if endpoint.customer_id is None:
        record_act(request=request, action=f"webhookendpoint.{verb}", target=endpoint, after=after)


@sensitive_variables()
def show_secret(request: HttpRequest, made: NewSecret, *, is_rotated: bool = False) -> HttpResponse:
    context = {"endpoint": made.endpoint, "secret": made.secret, "is_rotated": is_rotated, "overlap": OVERLAP}
    return render(request, "billing/webhook_secret.html", context)


def sent_already(request: HttpRequest) -> HttpResponse:
    messages.info(
        request,
        _("This form was sent already, or is too old. A secret is shown once: if you have lost it, rotate it."),
    )
    return redirect("billing:webhooks")


def _usual_events() -> list[str]:
    return ["balance.low", "balance.depleted", "balance.recovered", "credits.granted", "credits.clawed_back"]
