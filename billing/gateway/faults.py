"""Turns what the SDK raises into our refusals."""

from collections.abc import Iterator
from contextlib import contextmanager

import stripe

from billing.errors import StripeObjectMissing, StripeRefused, StripeUnavailable


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
        raise StripeUnavailable(f"Stripe cannot be used right now: {_reason(error)}") from error
    except stripe.StripeError as error:
        if error.http_status == 409:  # the same request is still under way
            raise StripeUnavailable(f"Stripe cannot be used right now: {_reason(error)}") from error
        refusal = StripeObjectMissing if error.code == "resource_missing" else StripeRefused
        raise refusal(_reason(error), stripe_code=error.code, request_id=error.request_id) from error


def missing_param(error: StripeObjectMissing) -> str:
    """The request's field that names the missing object, such as `customer`; empty if Stripe did not say."""
    cause = error.__cause__
    return str(getattr(cause, "param", None) or "")


def _reason(error: stripe.StripeError) -> str:
    return error.user_message or type(error).__name__
