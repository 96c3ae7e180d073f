"""Spending, decisions and charges at the same moment, over real connections: one payment."""

from collections import Counter

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.ledger.verification import verify_ledger
from billing.models import Payment
from billing.services.top_ups.deciding import decide_top_up
from billing.services.top_ups.running import run_due_top_ups, run_top_up
from billing.services.top_ups.sending import send_attempt
from billing.tests.threads import at_once
from billing.tests.top_ups import Shopper

pytestmark = pytest.mark.django_db(transaction=True)


def test_twenty_spends_across_the_threshold_make_one_payment(shopper: Shopper) -> None:
    """Each is followed by what the woken task does; the sweeper runs beside them."""
    shopper.spend_down_to(1010)
    customer_id, gateway = shopper.customer.pk, shopper.gateway

    def spend_and_wake(number: int) -> str:
        shopper.spend(10, key=f"parallel-{number}")
        run_top_up(customer_id=customer_id, gateway=gateway)
        return "spent"

    def sweep() -> str:
        run_due_top_ups(gateway=gateway, now=timezone.now())
        return "swept"

    done = at_once(*[lambda number=number: spend_and_wake(number) for number in range(20)], *[sweep] * 4)

    assert Counter(done) == {"spent": 20, "swept": 4}
    shopper.run()
    assert (len(shopper.attempts), shopper.charges(), shopper.topped_up()) == (1, [1000], 1)
    assert shopper.balance.posted == 1010 - 200 + 10_500
    shopper.deliver()
    assert shopper.topped_up() == 1
    assert list(verify_ledger()) == []


def test_one_attempt_sent_by_many_is_charged_once(shopper: Shopper) -> None:
    shopper.spend_down_to(0)
    attempt = decide_top_up(customer_id=shopper.customer.pk)
    assert attempt is not None

    sent = at_once(*[lambda: send_attempt(attempt_id=attempt.pk, gateway=shopper.gateway).state] * 8)

    assert "paid" in sent
    assert (shopper.charges(), shopper.topped_up(), shopper.attempts[0].tries) == ([1000], 1, 1)


def test_the_database_allows_one_open_attempt(shopper: Shopper) -> None:
    shopper.spend_down_to(0)
    attempt = decide_top_up(customer_id=shopper.customer.pk)
    assert attempt is not None
    attempt.pk, attempt.public_id = None, "pay_another"
    attempt.form_key = attempt.stripe_idempotency_key = "top-up-pay_another"

    with pytest.raises(IntegrityError, match="billing_payment_one_open_top_up"), transaction.atomic():
        attempt.save(force_insert=True)

    assert Payment.objects.filter(kind="auto_top_up").count() == 1
