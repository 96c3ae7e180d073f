"""The page on which a customer authenticates a payment that was tried without them."""

import secrets

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from sandbox.stripe.charging.intent_calls import authenticate_intent, waits_for_customer
from sandbox.stripe.errors import ApiError
from sandbox.stripe.handler import render_page, sandbox_of
from sandbox.stripe.pages.money import format_amount
from sandbox.stripe.pages.tokens import ForeignForm, require_token


def confirm_view(request: HttpRequest, intent_id: str) -> HttpResponse:
    """Ask for the authentication of a payment, or take what the customer said; the address holds the client secret."""
    sandbox = sandbox_of(request)
    return_url = request.POST.get("return_url") or request.GET.get("return_url", "")
    message = ""
    with sandbox.work():
        intent = sandbox.store.get(intent_id, kind="payment_intent")
        given = request.POST.get("client_secret") or request.GET.get("client_secret", "")
        if intent is None or not secrets.compare_digest(given.encode(), intent["client_secret"].encode()):
            raise Http404("A payment is opened by its client secret.")
        if request.method == "POST":
            try:
                require_token(request)
                taking = authenticate_intent(sandbox, intent_id, succeed=request.POST.get("action") == "authorize")
                message = taking.message
            except ForeignForm:
                message = "This page was too old. Please try again."
            except ApiError as error:
                message = error.message
            intent = sandbox.require("payment_intent", intent_id)
    if request.method == "POST" and not message and return_url.startswith(("http://", "https://")):
        response = HttpResponseRedirect(return_url)
        response.status_code = 303
        return response
    context = {
        "intent": intent,
        "total": format_amount(intent["amount"], intent["currency"]),
        "waits": waits_for_customer(intent),
        "message": message,
        "token": sandbox.form_token,
        "client_secret": given,
        "return_url": return_url,
    }
    return render_page("confirm.html", context, status=422 if message else 200)
