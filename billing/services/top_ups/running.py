"""Carries out what is due: for the task that a mark wakes, for beat and for the sweeper."""

from datetime import datetime

import structlog

from billing.gateway.client import StripeGateway
from billing.models import CreditBalance, Payment
from billing.services.top_ups.deciding import decide_top_up
from billing.services.top_ups.sending import send_attempt

log = structlog.get_logger(__name__)


def run_top_up(*, customer_id: int, gateway: StripeGateway) -> bool:
    """Decide about one customer's top-up and charge it; whether an attempt was made."""
    attempt = decide_top_up(customer_id=customer_id)
    if attempt is None:
        return False
    send_attempt(attempt_id=attempt.pk, gateway=gateway)
    return True


def run_due_top_ups(*, gateway: StripeGateway, now: datetime, limit: int = 50) -> int:
    """Decide what was asked for, and look after attempts whose outcome is not known; gives how many were looked at.

    Raises:
        RuntimeError: some could not be done, because their books or rows do not fit together; all others were.
    """
    due = Payment.objects.filter(next_try_at__lte=now).order_by("next_try_at").values_list("pk", flat=True)
    asked = CreditBalance.objects.filter(top_up_due_at__lte=now).order_by("top_up_due_at").values_list("pk", flat=True)
    attempt_ids, customer_ids, broken = list(due[:limit]), list(asked[:limit]), []
    for attempt_id in attempt_ids:
        try:
            send_attempt(attempt_id=attempt_id, gateway=gateway)
        except RuntimeError as error:  # one customer's broken rows must not keep everybody else's top-ups
            log.error("top_up_not_sent", alarm=True, payment_id=attempt_id, error=str(error))
            broken.append(f"attempt {attempt_id}")
    for customer_id in customer_ids:
        try:
            run_top_up(customer_id=customer_id, gateway=gateway)
        except RuntimeError as error:
            log.error("top_up_not_decided", alarm=True, customer_id=customer_id, error=str(error))
            broken.append(f"customer {customer_id}")
    if broken:
        raise RuntimeError(f"{len(broken)} top-ups could not be looked after: {', '.join(broken)}.")
    return len(attempt_ids) + len(customer_ids)
