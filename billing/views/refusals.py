"""Refusals at the edge: the one table of HTTP statuses, and the answers for people and for programs."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import conf
from billing.errors import (
    BillingError,
    CheckoutRateLimited,
    InsufficientCredits,
    KeyLimitReached,
    RateLimited,
    StripeRefused,
    StripeUnavailable,
)
from billing.money import CREDIT_STEP, format_credits
from billing.selectors.balances import Balance, read_balance
from billing.templatetags.billing_words import debt_sentences

log = structlog.get_logger(__name__)

STATUSES = {
    "invalid_amount": 400,
    "invalid_request": 400,
    "webhook_refused": 400,
    "idempotency_key_required": 400,
    "unknown_model": 400,
    "unknown_operation": 400,
    "insufficient_credits": 402,
    "key_limit_reached": 402,
    "customer_frozen": 403,
    "scope_missing": 403,
    "model_not_in_plan": 403,
    "call_above_plan_limit": 403,
    "not_permitted": 403,
    "own_account": 403,
    "email_not_verified": 403,
    "second_person_needed": 403,
    "customer_not_found": 404,
    "hold_not_found": 404,
    "stripe_object_missing": 404,
    "webhook_endpoint_not_found": 404,
    "voucher_unknown": 404,
    "request_in_flight": 409,
    "already_charged": 409,
    "already_subscribed": 409,
    "hold_ended": 409,
    "approval_ended": 409,
    "nothing_to_write_off": 409,
    "refund_not_possible": 409,
    "correction_not_possible": 409,
    "payment_declined": 409,
    "payment_needs_authentication": 409,
    "webhook_endpoint_exists": 409,
    "too_many_webhook_endpoints": 409,
    "delivery_not_possible": 409,
    "voucher_not_yet_valid": 409,
    "voucher_already_redeemed": 409,
    "pack_unavailable": 410,
    "plan_unavailable": 410,
    "voucher_expired": 410,
    "voucher_used_up": 410,
    "nothing_sold": 410,
    "idempotency_conflict": 422,
    "batch_refused": 422,
    "rate_limited": 429,
    "checkout_rate_limited": 429,
    "voucher_guesses_exceeded": 429,
    "stripe_refused": 502,
    "stripe_unavailable": 503,
    "portal_not_ready": 503,
}


def answer_refusal(request: HttpRequest, refusal: BillingError) -> HttpResponse:
    """The answer to a refused request: a page for people, RFC 9457 `application/problem+json` where JSON is asked for.

    A refusal for lack of credits says what is available, what is required and where to buy; one for rate says when to
    come back.
    """
    status = STATUSES.get(refusal.code, 400)
    log_stripe_failure(refusal)
    members, debt = problem(refusal), _debt_behind(request, refusal)
    if debt is not None:
        members = _with_debt(members, debt)
    response: HttpResponse
    if prefers_json(request):
        response = JsonResponse(members, status=status, content_type="application/problem+json")
    else:
        response = render(
            request, "billing/refusal.html", {"refusal": refusal, "problem": members, "debt": debt}, status=status
        )
    if isinstance(refusal, CheckoutRateLimited | RateLimited):
        response["Retry-After"] = str(refusal.retry_after_seconds)
    return response


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedDebt:
    """Why somebody lacks credits though they bought some: how much is owed, and a sentence for each cause."""

    credits: Decimal
    summary: str
    sentences: list[str]


def _debt_behind(request: HttpRequest, refusal: BillingError) -> ExplainedDebt | None:
    """The debt of the signed-in user where it is why credits are lacking."""
    user = getattr(request, "user", None)
    if not isinstance(refusal, InsufficientCredits) or user is None or not user.is_authenticated:
        return None
    return _explain_debt(read_balance(user_id=user.pk, now=timezone.now()))


def _explain_debt(balance: Balance | None) -> ExplainedDebt | None:
    if balance is None or not balance.debt:
        return None
    owed = format_credits(balance.debt)
    return ExplainedDebt(
        credits=balance.debt,
        summary=_("You owe %(owed)s credits; the next purchase repays them first.") % {"owed": owed},
        sentences=debt_sentences(balance),
    )


def _with_debt(members: dict[str, Any], debt: ExplainedDebt) -> dict[str, Any]:
    return {
        **members,
        "debt": str(debt.credits),
        "detail": " ".join([members["detail"], debt.summary, *debt.sentences]),
    }


def add_debt(members: dict[str, Any], balance: Balance | None) -> dict[str, Any]:
    """The members of a problem document for lack of credits, with the debt that is behind it, if there is one."""
    debt = _explain_debt(balance)
    return members if debt is None else _with_debt(members, debt)


def log_stripe_failure(refusal: BillingError) -> None:
    """Tell operators of what Stripe would not or could not do; its own words are for them."""
    if isinstance(refusal, StripeRefused | StripeUnavailable):
        log.warning("stripe_failed_a_request", code=refusal.code, reason=str(refusal))


def problem(refusal: BillingError) -> dict[str, Any]:
    """The members of a problem document: `type`, `title`, `status`, `code`, `detail` and what the refusal knows."""
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": refusal.code.replace("_", " ").capitalize(),
        "status": STATUSES.get(refusal.code, 400),
        "code": refusal.code,
        "detail": _detail(refusal),
    }
    for name, value in vars(refusal).items():
        members[name] = f"{value.quantize(CREDIT_STEP):f}" if isinstance(value, Decimal) else value
    if isinstance(refusal, InsufficientCredits | KeyLimitReached):
        members["top_up_url"] = conf.site_url() + reverse("billing:buy")
    return members


def _detail(refusal: BillingError) -> str:
    """The refusal in words for its caller. Stripe's own may name hosts, keys and settings: they are for the log."""
    if isinstance(refusal, StripeUnavailable):
        return "Stripe cannot be used right now. Try again in a moment; nothing is charged twice."
    if isinstance(refusal, StripeRefused) and (refusal.stripe_code or refusal.request_id):
        return "Stripe would not open this checkout. Nothing was charged; please contact support."
    return str(refusal)


def prefers_json(request: HttpRequest) -> bool:
    """Whether the client asked for JSON rather than for a page."""
    preferred = request.get_preferred_type(["text/html", "application/json", "application/problem+json"])
    return preferred is not None and "json" in preferred
