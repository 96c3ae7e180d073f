"""What can be done to an endpoint of webhooks: test it, rotate its secret, switch it, delete it, send again."""

from typing import Final

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.form_tokens import new_form_token
from billing.errors import DeliveryNotPossible, RateLimited
from billing.models import BillingCustomer, WebhookDelivery
from billing.services.minute_counts import count_in_minute
from billing.services.webhook_endpoints import delete_endpoint, disable_endpoint, enable_endpoint, rotate_secret
from billing.services.webhook_messages import replay_delivery, send_test_event
from billing.views.access import customer_page
from billing.views.webhook_endpoints import act_once, find_own, sent_already, show_secret, tell_audit_log

# Each sends a request to an address that its owner chose: a few in a minute help, more would be load on somebody.
ACTS_PER_MINUTE: Final = 20


@require_POST
@customer_page
def try_webhook(request: HttpRequest, customer: BillingCustomer, endpoint: str) -> HttpResponseBase:
    """Send a test event."""
    row = find_own(request, customer, endpoint)
    try:
        _count(customer)
        send_test_event(endpoint=row)
    except (DeliveryNotPossible, RateLimited) as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("A test event is on its way. Load this page again to see what came of it."))
    return redirect("billing:webhook", endpoint=row.public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page
@sensitive_variables()
def rotate_webhook(request: HttpRequest, customer: BillingCustomer, endpoint: str) -> HttpResponseBase:
    """Ask before the secret is rotated, then show the new one once. The old one signs for a day more."""
    row = find_own(request, customer, endpoint)
    if request.method != "POST":
        context = {"endpoint": row, "form_token": new_form_token(request.session)}
        return render(request, "billing/webhook_rotate.html", context)
    made = act_once(
        request,
        token=request.POST.get("form_token", ""),
        act=lambda: rotate_secret(endpoint=row, now=timezone.now()),
        verb="rotate",
    )
    return show_secret(request, made, is_rotated=True) if made else sent_already(request)


@require_POST
@customer_page
def switch_webhook(request: HttpRequest, customer: BillingCustomer, endpoint: str) -> HttpResponseBase:
    """Disable or enable it, as the form says."""
    row = find_own(request, customer, endpoint)
    is_wanted = request.POST.get("to") == "enabled"
    with transaction.atomic():
        (enable_endpoint if is_wanted else disable_endpoint)(endpoint=row, now=timezone.now())
        tell_audit_log(request, row, "enable" if is_wanted else "disable")
    messages.success(request, _("Enabled.") if is_wanted else _("Disabled. Nothing is sent until you enable it."))
    return redirect("billing:webhook", endpoint=row.public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page
def delete_webhook(request: HttpRequest, customer: BillingCustomer, endpoint: str) -> HttpResponseBase:
    """Ask first, then delete it with its log."""
    row = find_own(request, customer, endpoint)
    if request.method != "POST":
        return render(request, "billing/webhook_delete.html", {"endpoint": row})
    with transaction.atomic():
        tell_audit_log(request, row, "delete", host=row.host)
        delete_endpoint(endpoint=row)
    messages.success(request, _("The endpoint is deleted. Nothing more is sent to it."))
    return redirect("billing:webhooks")


@require_POST
@customer_page
def replay_webhook(request: HttpRequest, customer: BillingCustomer, endpoint: str, delivery: str) -> HttpResponseBase:
    """Send a message once more."""
    row = find_own(request, customer, endpoint)
    message = WebhookDelivery.objects.filter(endpoint=row, public_id=delivery).select_related("endpoint").first()
    if message is None:
        raise Http404("There is no such message to this endpoint.")
    try:
        _count(customer)
        replay_delivery(delivery=message)
    except (DeliveryNotPossible, RateLimited) as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The message is sent again, with the same id."))
    return redirect("billing:webhook", endpoint=row.public_id)


def _count(customer: BillingCustomer) -> None:
    count_in_minute(names=[f"webhook-acts:customer:{customer.pk}"], limit=ACTS_PER_MINUTE)
