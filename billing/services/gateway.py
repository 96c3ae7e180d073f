"""The gateway to Stripe that the settings describe."""

from functools import lru_cache

from billing import conf
from billing.gateway.client import StripeGateway


def configured_gateway() -> StripeGateway:
    """One gateway per configuration and process: it keeps connections to Stripe open between calls."""
    return _build(
        secret_key=conf.stripe_secret_key(),
        api_base=conf.stripe_api_base(),
        webhook_secrets=conf.stripe_webhook_secrets(),
    )


@lru_cache(maxsize=8)
def _build(*, secret_key: str, api_base: str, webhook_secrets: tuple[str, ...]) -> StripeGateway:
    return StripeGateway(secret_key=secret_key, api_base=api_base, webhook_secrets=webhook_secrets)
