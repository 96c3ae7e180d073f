"""A round goes through what is due; neither a Stripe that is away nor one customer's broken rows hold up the rest."""

import pytest
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.models import CreditPack, Payment
from billing.services.top_ups import running
from billing.services.top_ups.deciding import decide_top_up
from billing.services.top_ups.running import run_due_top_ups
from billing.tests.services.top_ups.conftest import Clock
from billing.tests.shop import make_customer
from billing.tests.top_ups import Shopper
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db
TRIES = 3


@pytest.fixture
def another(
    shopper: Shopper,
    stripe_sandbox: SandboxServer,
    gateway: StripeGateway,
    pack: CreditPack,
) -> Shopper:
    """A second one, who spends later than the first."""
    return Shopper(sandbox=stripe_sandbox, gateway=gateway, customer=make_customer(), pack=pack)


def test_a_round_ends_once_stripe_is_away(shopper: Shopper, another: Shopper, clock: Clock) -> None:
    for one in (shopper, another):
        one.spend_down_to(0)
    shopper.sandbox.control.add_fault("error", method="POST", path="/v1/payment_intents", times=TRIES)

    assert shopper.run() == 1
    assert (len(shopper.attempts), another.attempts) == (1, [])
    shopper.run()
    clock.move(seconds=61)
    shopper.run()

    assert (shopper.charges(), another.charges()) == ([1000], [1000])


def test_nothing_is_begun_after_the_time_of_a_round(shopper: Shopper, monkeypatch: pytest.MonkeyPatch) -> None:
    shopper.spend_down_to(0)
    monkeypatch.setattr(running, "ROUND_SECONDS", -1.0)

    assert shopper.run() == 0

    assert shopper.attempts == []


def test_nothing_is_begun_once_it_should_stop(shopper: Shopper) -> None:
    shopper.spend_down_to(0)

    run_due_top_ups(gateway=shopper.gateway, now=timezone.now(), should_stop=lambda: True)

    assert shopper.attempts == []


def test_a_broken_customer_is_put_off_and_keeps_nobody_waiting(
    shopper: Shopper, another: Shopper, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (shopper, another):
        one.spend_down_to(0)
    decide = decide_top_up

    def decide_or_break(*, customer_id: int) -> Payment | None:
        if customer_id == shopper.customer.pk:
            raise ValueError("a row that nobody thought of")
        return decide(customer_id=customer_id)

    with monkeypatch.context() as patched:
        patched.setattr(running, "decide_top_up", decide_or_break)
        with pytest.raises(RuntimeError, match=f"customer {shopper.customer.pk}"):
            run_due_top_ups(gateway=shopper.gateway, now=timezone.now())
        assert another.charges() == [1000]
        assert shopper.run() == 0  # it is not tried in each round
    clock.move(minutes=16)

    shopper.run()

    assert shopper.charges() == [1000]


def test_a_broken_attempt_is_put_off(shopper: Shopper, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    shopper.spend_down_to(0)
    decide_top_up(customer_id=shopper.customer.pk)

    def break_down(**_: object) -> None:
        raise ValueError("a row that nobody thought of")

    with monkeypatch.context() as patched:
        patched.setattr(running, "settle_attempt", break_down)
        with pytest.raises(RuntimeError, match=f"attempt {shopper.attempts[0].pk}"):
            shopper.run()
        assert shopper.run() == 0
    clock.move(minutes=16)

    shopper.run()

    assert shopper.charges() == [1000]
