"""What customers want to be told of: which mails, and below how many credits their balance is low."""

from collections.abc import Collection
from decimal import Decimal

import structlog
from django.db import transaction
from django.db.models import Q

from billing import conf
from billing.errors import InvalidAmount
from billing.ledger.balances import set_low_threshold
from billing.ledger.locking import lock_accounts
from billing.models import CreditBalance, NotificationPreferences
from billing.money import CREDIT_STEP
from billing.notice_kinds import SWITCHABLE_EVENTS, NoticeEvent

MAX_THRESHOLD = Decimal(1_000_000_000)
log = structlog.get_logger(__name__)


def set_switched_off(*, customer_id: int, events: Collection[NoticeEvent]) -> None:
    """Mail the customer of all events but these.

    Raises:
        RuntimeError: one of them is about money or security, which nobody can switch off.
    """
    if fixed := set(events) - SWITCHABLE_EVENTS:
        raise RuntimeError(f"These mails cannot be switched off: {', '.join(sorted(fixed))}.")
    with transaction.atomic():
        _ensure_row(customer_id=customer_id)
        switched_off = sorted(event.value for event in events)
        NotificationPreferences.objects.filter(pk=customer_id).update(switched_off=switched_off)


def switch_off(*, customer_id: int, event: NoticeEvent) -> None:
    """Mail the customer no more of one event; the others stay as they are.

    Raises:
        RuntimeError: the event is about money or security.
    """
    with transaction.atomic():
        _ensure_row(customer_id=customer_id)
        row = NotificationPreferences.objects.select_for_update().get(pk=customer_id)
        set_switched_off(customer_id=customer_id, events={NoticeEvent(known) for known in row.switched_off} | {event})


def set_threshold(*, customer_id: int, threshold: Decimal | None) -> None:
    """Call the customer's balance low below so many credits; None is the installation's usual number, 0 is never.

    Raises:
        InvalidAmount: below zero, too much, or with more than six places.
    """
    if threshold is not None and not 0 <= threshold <= MAX_THRESHOLD:
        raise InvalidAmount(field="threshold", fault=f"send 0 to {MAX_THRESHOLD}")
    if threshold is not None and threshold != threshold.quantize(CREDIT_STEP):
        raise InvalidAmount(field="threshold", fault="credits have six places")
    with transaction.atomic():
        effective = conf.low_balance_threshold() if threshold is None else threshold
        set_low_threshold(customer_id=customer_id, threshold=effective)
        _ensure_row(customer_id=customer_id)
        NotificationPreferences.objects.filter(pk=customer_id).update(low_threshold=threshold)


def align_thresholds(*, limit: int = 10_000) -> int:
    """Bring balances without a threshold of their own to LOW_BALANCE_THRESHOLD as it is set now; gives how many."""
    usual = conf.low_balance_threshold()
    own = Q(customer__notification_preferences__low_threshold__isnull=False)
    strays = CreditBalance.objects.exclude(own).filter(~Q(low_threshold=usual)).order_by("pk")
    count = 0
    for customer_id in list(strays.values_list("pk", flat=True)[:limit]):
        with transaction.atomic():
            lock_accounts(customer_ids=[customer_id])
            if strays.filter(pk=customer_id).exists():  # nobody has set their own meanwhile
                set_low_threshold(customer_id=customer_id, threshold=usual)
                count += 1
    if count:
        log.info("thresholds_aligned", count=count, threshold=str(usual))
    return count


def _ensure_row(*, customer_id: int) -> None:
    NotificationPreferences.objects.get_or_create(customer_id=customer_id)
