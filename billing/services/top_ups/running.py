"""Carries out what is due: for the task that a mark wakes, for beat and for the sweeper."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db import transaction

from billing.errors import StripeUnavailable
from billing.gateway.client import StripeGateway
from billing.ledger import balances
from billing.ledger.locking import lock_accounts
from billing.models import CreditBalance, Payment
from billing.services.top_ups.deciding import decide_top_up
from billing.services.top_ups.sending import send_attempt, settle_attempt

ROUND_SECONDS = 20.0  # one call to a Stripe that hangs takes longer: nothing is begun after that
_BROKEN_WAITS = timedelta(minutes=15)
_Chore = tuple[str, Callable[[], object], Callable[[], object]]  # a name, what is to be done, and how it is put off
log = structlog.get_logger(__name__)


def run_top_up(*, customer_id: int, gateway: StripeGateway) -> bool:
    """Decide about one customer's top-up and charge it; whether an attempt was made."""
    attempt = decide_top_up(customer_id=customer_id)
    if attempt is None:
        return False
    send_attempt(attempt_id=attempt.pk, gateway=gateway)
    return True


def run_due_top_ups(
    *, gateway: StripeGateway, now: datetime, limit: int = 50, should_stop: Callable[[], bool] = lambda: False
) -> int:
    """Decide what was asked for, and look after attempts whose outcome is not known; gives how many were looked at.

    Nothing more is begun after 20 seconds, once `should_stop`, or once Stripe is away: the next round goes on.

    Raises:
        RuntimeError: some could not be done, and are put off; the others were looked at.
    """
    chores = [
        *_due_attempts(gateway=gateway, now=now, limit=limit),
        *_due_customers(gateway=gateway, now=now, limit=limit),
    ]
    ends_at, count, broken = time.monotonic() + ROUND_SECONDS, 0, []
    for name, do, put_off in chores:
        if should_stop() or time.monotonic() > ends_at:
            break
        count += 1
        try:
            do()
        except StripeUnavailable as error:
            log.info("top_ups_interrupted", reason=str(error))
            break
        except Exception as error:  # one customer's broken rows must not keep everybody else's top-ups
            log.exception("top_up_broken", alarm=True, top_up=name, error=type(error).__name__)
            put_off()
            broken.append(name)
    if broken:
        raise RuntimeError(f"{len(broken)} top-ups could not be looked after: {', '.join(broken)}.")
    return count


def _due_attempts(*, gateway: StripeGateway, now: datetime, limit: int) -> list[_Chore]:
    due = Payment.objects.filter(next_try_at__lte=now).order_by("next_try_at").values_list("pk", flat=True)
    return [
        (
            f"attempt {attempt_id}",
            partial(settle_attempt, attempt_id=attempt_id, gateway=gateway),
            partial(_put_off_attempt, attempt_id=attempt_id, now=now),
        )
        for attempt_id in due[:limit]
    ]


def _due_customers(*, gateway: StripeGateway, now: datetime, limit: int) -> list[_Chore]:
    asked = CreditBalance.objects.filter(top_up_due_at__lte=now).order_by("top_up_due_at").values_list("pk", flat=True)
    return [
        (
            f"customer {customer_id}",
            partial(_decide_and_settle, customer_id=customer_id, gateway=gateway),
            partial(_put_off_customer, customer_id=customer_id, now=now),
        )
        for customer_id in asked[:limit]
    ]


def _decide_and_settle(*, customer_id: int, gateway: StripeGateway) -> None:
    attempt = decide_top_up(customer_id=customer_id)
    if attempt is not None:
        settle_attempt(attempt_id=attempt.pk, gateway=gateway)


def _put_off_attempt(*, attempt_id: int, now: datetime) -> None:
    """Let the others go first; an attempt that was claimed has its next time already."""
    Payment.objects.filter(pk=attempt_id, next_try_at__lte=now).update(next_try_at=now + _BROKEN_WAITS)


def _put_off_customer(*, customer_id: int, now: datetime) -> None:
    with transaction.atomic(durable=True):
        accounts, _ = lock_accounts(customer_ids=[customer_id])
        due_at = accounts[customer_id].top_up_due_at
        if due_at is not None and due_at <= now:
            balances.put_off_top_up(customer_id=customer_id, until=now + _BROKEN_WAITS)
