"""One click in a mail that says: no more like this (RFC 8058). The signed link is the proof; no login is needed."""

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from billing.forms import SWITCHABLE_LABELS
from billing.models import BillingCustomer
from billing.services.mail_rendering import read_unsubscribe_token
from billing.services.preferences import switch_off


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponseBase:
    """Ask, so that a program that follows links switches nothing off; a POST of the page or of a mail program does.

    It can only take mails away that its receiver may do without, and the page says how to have them again.
    """
    named = read_unsubscribe_token(token)
    customer = BillingCustomer.objects.filter(public_id=named[0]).first() if named else None
    if named is None or customer is None or named[1] not in SWITCHABLE_LABELS:
        raise Http404("This link is none of ours, or too old.")
    is_done = request.method == "POST"
    if is_done:
        switch_off(customer_id=customer.pk, event=named[1])
    return render(request, "billing/unsubscribe.html", {"what": SWITCHABLE_LABELS[named[1]], "is_done": is_done})
