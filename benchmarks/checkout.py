"""How long opening a checkout takes without Stripe's share, and the buy page."""

import os
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any

from benchmarks import servers

REPEATS = 60


@dataclass(frozen=True)
class CheckoutTime:
    """Median milliseconds: all of it, and what is left without the calls to the stand-in for Stripe."""

    total_milliseconds: float
    own_milliseconds: float


class Stopwatch:
    """Passes calls on to a gateway and adds up the time that they take."""

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._gateway, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


def measure() -> CheckoutTime:
    """Open checkouts of one pack for one customer, each with a form of its own; the limit on them is off."""
    from django.test import override_settings

    from accounts.models import User
    from billing.gateway.client import StripeGateway
    from billing.models import CreditPack
    from billing.services.checkout import CheckoutPages, start_checkout
    from billing.services.customers import ensure_customer
    from billing.services.orders import order_pack

    port = servers.free_port()
    command = [sys.executable, "-m", "sandbox.stripe", "--port", str(port), "--state", ":memory:"]
    base = f"http://127.0.0.1:{port}"
    with servers.running(commands=[command], environment={**os.environ, "DEBUG": "1"}, ready_url=f"{base}/sandbox/"):
        gateway = StripeGateway(secret_key="sk_test_benchmark", api_base=base, webhook_secrets=())
        price = gateway.create_price(
            product_id=gateway.create_product(name="Pack", reference="pack", idempotency_key="product").id,
            amount_minor=1000, currency="usd", reference="pack", idempotency_key="price",
        )  # fmt: skip
        CreditPack.objects.create(slug="bench", name="Pack", credits=10_000, price_minor=1000, stripe_price_id=price.id)
        customer = ensure_customer(user=User.objects.create_user("buyer@example.com", "a long enough password"))
        pages = CheckoutPages(returned="http://127.0.0.1/?s={CHECKOUT_SESSION_ID}", cancelled="http://127.0.0.1/")
        totals, owns = [], []
        with override_settings(CHECKOUT_SESSIONS_PER_MINUTE=0):
            for number in range(REPEATS):
                stopwatch, start = Stopwatch(gateway), time.perf_counter()
                start_checkout(
                    customer=customer, order=order_pack(slug="bench"), form_key=f"bench-{number}",
                    ui_mode="embedded_page", network_hash="", pages=pages, gateway=stopwatch,  # type: ignore[arg-type]
                )  # fmt: skip
                total = time.perf_counter() - start
                totals.append(total * 1000)
                owns.append((total - stopwatch.seconds) * 1000)
    return CheckoutTime(statistics.median(totals[5:]), statistics.median(owns[5:]))
