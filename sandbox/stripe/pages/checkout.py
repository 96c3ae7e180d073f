"""The checkout page, hosted and inside the frame of the embedded one."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from sandbox.stripe.checkout.cards import BANK_ACCOUNTS, TEST_CARDS, read_card
from sandbox.stripe.checkout.paying import (
    Attempt,
    Payer,
    apply_code,
    authenticate,
    locate_customer,
    pay_by_bank_debit,
    pay_by_card,
    pay_free,
)
from sandbox.stripe.checkout.subscribing import asks_for_card
from sandbox.stripe.errors import ApiError
from sandbox.stripe.handler import render_page, sandbox_of
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.pages.locations import describe_location, read_location
from sandbox.stripe.pages.money import format_amount
from sandbox.stripe.pages.plan_terms import describe_plan
from sandbox.stripe.pages.tokens import ForeignForm, require_token
from sandbox.stripe.records import Resource

_PLACEHOLDER = "{CHECKOUT_SESSION_ID}"


@dataclass
class _Form:
    """What was typed, and what is wrong with it by field; ``message`` stands above the button."""

    typed: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    message: str = ""


def checkout_view(request: HttpRequest, session_id: str) -> HttpResponse:
    """Show a session, or take what the customer typed."""
    sandbox = sandbox_of(request)
    with sandbox.work():
        session = _find_session(sandbox, session_id, request)
        form = _Form()
        if request.method == "POST":
            try:
                require_token(request)
                form = _act(sandbox, session, request)
            except ForeignForm:
                form = _Form(request.POST.dict(), message="This page was too old. Please try again.")
            except ApiError as error:
                form = _Form(request.POST.dict(), message=error.message)
            session = sandbox.require("checkout.session", session_id)
        is_paid_now = request.method == "POST" and session["status"] == "complete"
        if is_paid_now and session["ui_mode"] == "hosted_page":
            response = HttpResponseRedirect(_fill(session["success_url"], session_id))
            response.status_code = 303
            return response
        return _render(sandbox, session, request, form)


def _find_session(sandbox: Sandbox, session_id: str, request: HttpRequest) -> Resource:
    session = sandbox.store.get(session_id, kind="checkout.session")
    if session is None:
        raise Http404("There is no such checkout session.")
    if session["ui_mode"] == "embedded_page":
        given = request.POST.get("client_secret") or request.GET.get("client_secret", "")
        expected = session["_client_secret"]
        if not secrets.compare_digest(given.encode(), expected.encode()):
            raise Http404("An embedded session is opened by its client secret.")
    return session


def _act(sandbox: Sandbox, session: Resource, request: HttpRequest) -> _Form:
    typed = request.POST.dict()
    action, session_id = typed.get("action", "pay"), session["id"]
    if action in ("authorize", "fail_authentication"):
        return _report(typed, authenticate(sandbox, session_id, succeed=action == "authorize"))
    if action == "apply_code":
        if apply_code(sandbox, session_id, typed.get("code", "")):
            return _Form(typed)
        return _Form(typed, {"code": "This code is invalid."})
    location, errors = read_location(session, typed)
    is_changed = locate_customer(sandbox, session_id, location) if location else False
    if action == "set_location":
        return _Form(typed, errors)
    session = sandbox.require("checkout.session", session_id)
    email = typed.get("email", "").strip()
    if "@" not in email:
        errors["email"] = "Enter your e-mail address."
    if is_changed and not errors:
        total = format_amount(session["amount_total"], session["currency"])
        return _Form(typed, message=f"With tax, {total} is due. Look at it, then pay.")
    payer = Payer(email=email, name=typed.get("name", "").strip() or None)
    if not asks_for_card(sandbox, session):
        return _Form(typed, errors) if errors else _report(typed, pay_free(sandbox, session_id, payer=payer))
    if typed.get("method") == "bank_debit":
        account = typed.get("account", "").strip()
        if account not in BANK_ACCOUNTS:
            errors["account"] = "Enter one of the test account numbers."
        if errors:
            return _Form(typed, errors)
        return _report(typed, pay_by_bank_debit(sandbox, session_id, payer=payer, account=account))
    card, card_errors = read_card(
        number=typed.get("number", ""),
        expiry=typed.get("expiry", ""),
        cvc=typed.get("cvc", ""),
        today=datetime.now(UTC).date(),
    )
    if card is None or errors:
        return _Form(typed, {**errors, **card_errors})
    return _report(typed, pay_by_card(sandbox, session_id, card=card, payer=payer))


def _report(typed: dict[str, str], attempt: Attempt) -> _Form:
    return _Form(typed, message=attempt.message)


def _render(sandbox: Sandbox, session: Resource, request: HttpRequest, form: _Form) -> HttpResponse:
    is_embedded = session["ui_mode"] == "embedded_page"
    customer = sandbox.store.get(session["customer"] or "") or {}
    typed = {"email": session["customer_email"] or customer.get("email") or "", "method": "card", **form.typed}
    context = {
        "session": session,
        "items": [
            {**item, "shown_amount": format_amount(item["price"]["unit_amount"] * item["quantity"], item["currency"])}
            for item in session["_line_items"]
        ],
        "subtotal": format_amount(session["amount_subtotal"], session["currency"]),
        "discount": format_amount(session["total_details"]["amount_discount"], session["currency"]),
        "has_discount": bool(session["discounts"]),
        "plan": describe_plan(sandbox, session),
        "tax": format_amount(session["total_details"]["amount_tax"], session["currency"]),
        "location": describe_location(sandbox, session, form.typed),
        "total": format_amount(session["amount_total"], session["currency"]),
        "is_free": session["amount_total"] == 0,
        "is_embedded": is_embedded,
        "has_fixed_email": bool(session["customer_email"] or customer.get("email")),
        "awaits_authentication": "_authentication" in session,
        "typed": typed,
        "form": form,
        "test_cards": TEST_CARDS,
        "bank_accounts": BANK_ACCOUNTS.items(),
        "token": sandbox.form_token,
        "client_secret": request.POST.get("client_secret") or request.GET.get("client_secret", ""),
        "host_origin": request.POST.get("host_origin") or request.GET.get("host_origin", ""),
        "return_url": _return_address(session),
        "redirects": session.get("redirect_on_completion", "always") == "always",
    }
    templates = {"open": "checkout.html", "complete": "complete.html", "expired": "expired.html"}
    status = 422 if form.errors or form.message else 200
    return render_page(templates[session["status"]], context, status=status, may_be_framed=is_embedded)


def _return_address(session: Resource) -> str:
    address = session.get("return_url") or session["success_url"] or ""
    return _fill(address, session["id"])


def _fill(address: str, session_id: str) -> str:
    return address.replace(_PLACEHOLDER, session_id)
