"""Turns what the SDK raises into our refusals."""

from collections.abc import Iterator
from contextlib import contextmanager

import stripe
import structlog

from billing.errors import StripeObjectMissing, StripeRefused, StripeUnavailable

log = structlog.get_logger(__name__)


@contextmanager
def stripe_errors_as_ours() -> Iterator[None]:
    """Inside it, a definite no is `StripeRefused` or `StripeObjectMissing`, and an unknown outcome `StripeUnavailable`.

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
    except stripe.StripeError as error:
        if error.http_status == 409:  # the same request is still under way
            raise _unavailable(error) from error
        refusal = StripeObjectMissing if error.code == "resource_missing" else StripeRefused
        raise refusal(_reason(error), stripe_code=error.code, request_id=error.request_id) from error


def _unavailable(error: stripe.StripeError) -> StripeUnavailable:
    """What people read is a plain sentence; the SDK's own words, hosts and addresses among them, go to the log."""
    log.warning("stripe_unavailable", error=type(error).__name__, reason=_reason(error), request_id=error.request_id)
    return StripeUnavailable("Stripe cannot be used right now.")


def missing_param(error: StripeObjectMissing) -> str:
    """The request's field that names the missing object, such as `customer`; empty if Stripe did not say."""
    cause = error.__cause__
    return str(getattr(cause, "param", None) or "")


def _reason(error: stripe.StripeError) -> str:
    return error.user_message or type(error).__name__
