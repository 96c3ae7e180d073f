"""Turns what the SDK raises into our refusals."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import stripe
import structlog

from billing.errors import (
    PaymentDeclined,
    PaymentNeedsAuthentication,
    StripeObjectMissing,
    StripeRefused,
    StripeUnavailable,
)

log = structlog.get_logger(__name__)

# https://docs.stripe.com/declines/codes (2026-10-28.endive)
_AUTHENTICATION_CODES = frozenset(
    {
        "authentication_required",
        "invoice_payment_intent_requires_action",
        "payment_intent_authentication_failure",
        "subscription_payment_intent_requires_action",
    }
)


@contextmanager
def stripe_errors_as_ours() -> Iterator[None]:
    """Inside it, a definite no is `StripeRefused` or `StripeObjectMissing`, and an unknown outcome `StripeUnavailable`.

    A payment that the bank did not let through is `PaymentDeclined` or `PaymentNeedsAuthentication`.
    A wrong key is unavailable too: nothing is wrong with the request, and it succeeds once the key is corrected.
    """
    try:
        yield
    except (
        stripe.APIConnectionError,
        stripe.APIError,
        stripe.RateLimitError,
        stripe.AuthenticationError,
        stripe.PermissionError,
    ) as error:
        raise _unavailable(error) from error
    except stripe.CardError as error:
        raise _declined(error) from error
    except stripe.StripeError as error:
        if error.http_status == 409:  # the same request is still under way
            raise _unavailable(error) from error
        refusal = StripeObjectMissing if error.code == "resource_missing" else StripeRefused
        raise refusal(_reason(error), stripe_code=error.code, request_id=error.request_id) from error


def _unavailable(error: stripe.StripeError) -> StripeUnavailable:
    """What people read is a plain sentence; the SDK's own words, hosts and addresses among them, go to the log."""
    log.warning("stripe_unavailable", error=type(error).__name__, reason=_reason(error), request_id=error.request_id)
    return StripeUnavailable("Stripe cannot be used right now.")


@contextmanager
def taking_money() -> Iterator[None]:
    """As `stripe_errors_as_ours`, for requests that take money: no answer under a used key proves that nothing was.

    A key that Stripe knows with other values belongs to an earlier request, which may have taken the money.
    """
    try:
        with stripe_errors_as_ours():
            yield
    except StripeRefused as refusal:
        cause = refusal.__cause__
        if isinstance(cause, stripe.IdempotencyError):
            raise _unavailable(cause) from refusal
        raise


def _declined(error: stripe.CardError) -> PaymentDeclined:
    """Read as plain JSON: Stripe names the intent and the payment method whole, some versions by their ids alone."""
    body = error.json_body if isinstance(error.json_body, Mapping) else {}
    told = body.get("error")
    fields: Mapping[str, object] = told if isinstance(told, Mapping) else {}
    kind = PaymentNeedsAuthentication if error.code in _AUTHENTICATION_CODES else PaymentDeclined
    return kind(
        _reason(error),
        stripe_code=error.code,
        request_id=error.request_id,
        decline_code=_name(fields.get("decline_code")),
        payment_intent_id=_name(fields.get("payment_intent")),
        payment_method_id=_name(fields.get("payment_method")),
        charge_id=_name(fields.get("charge")),
    )


def _name(value: object) -> str:
    """A short word or an id, of the object itself where it was given whole."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value[:255] if isinstance(value, str) else ""


def missing_param(error: StripeObjectMissing) -> str:
    """The request's field that names the missing object, such as `customer`; empty if Stripe did not say."""
    return refused_param(error)


def refused_param(error: StripeRefused) -> str:
    """The request's field that Stripe's no is about, such as `address[country]`; empty if Stripe did not say."""
    cause = error.__cause__
    return str(getattr(cause, "param", None) or "")


def _reason(error: stripe.StripeError) -> str:
    return error.user_message or type(error).__name__
