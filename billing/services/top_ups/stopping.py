"""What stops automatic top-up. Nothing here turns it on: that takes the customer's consent.

Call inside `transaction.atomic()`; each takes the lock on the balance. An attempt that was decided but not sent is
withdrawn by whoever would send it, because it looks at the state again.
"""

import structlog
from django.utils import timezone

from billing.ledger import balances
from billing.ledger.locking import lock_accounts
from billing.models import AutoTopUp, TopUpCause, TopUpState
from billing.notice_kinds import NoticeEvent
from billing.services.notices import announce
from billing.services.top_ups.wording import reason_of

TURNED_OFF_BY = (
    TopUpCause.CUSTOMER,
    TopUpCause.STAFF,
    TopUpCause.DECLINED,
    TopUpCause.DISPUTE,
    TopUpCause.FRAUD_WARNING,
    TopUpCause.CUSTOMER_GONE,
    TopUpCause.ACCOUNT_CLOSED,
)
log = structlog.get_logger(__name__)


def stop_top_up(
    *, customer_id: int, cause: TopUpCause, detail: str = "", forgets_card: bool = False, is_told: bool = True
) -> bool:
    """Turn it off or pause it, as the cause wants; whether that changed anything. What is off is not paused."""
    lock_accounts(customer_ids=[customer_id])
    top_up = AutoTopUp.objects.filter(pk=customer_id).first()
    if top_up is None:
        return False
    state = _state_after(cause)
    is_stopped = top_up.state not in (TopUpState.OFF, state)
    if is_stopped:
        top_up.state, top_up.cause, top_up.detail = state, cause, detail[:500]
        top_up.changed_at = timezone.now()
    if forgets_card:
        top_up.payment_method_id = top_up.card_brand = top_up.card_last_four = ""
        top_up.card_exp_month = top_up.card_exp_year = None
    top_up.save()
    if is_stopped:
        balances.disarm_top_up(customer_id=customer_id)
        if is_told:
            _announce(top_up)
        log.warning("top_up_stopped", customer_id=customer_id, state=state, cause=cause)
    return is_stopped


def _state_after(cause: TopUpCause) -> TopUpState:
    if cause in TURNED_OFF_BY:
        return TopUpState.OFF
    return TopUpState.AUTHENTICATION_NEEDED if cause is TopUpCause.AUTHENTICATION else TopUpState.PAUSED


def _announce(top_up: AutoTopUp) -> None:
    """Tell the customer of what they did not do; what the bank wants of them is told by whoever knows the payment."""
    if top_up.cause == TopUpCause.CUSTOMER or top_up.state == TopUpState.AUTHENTICATION_NEEDED:
        return
    is_off = top_up.state == TopUpState.OFF
    announce(
        event=NoticeEvent.TOP_UP_TURNED_OFF if is_off else NoticeEvent.TOP_UP_PAUSED,
        customer_id=top_up.customer_id,
        key=f"{top_up.cause}:{top_up.changed_at.isoformat()}",
        payload={"reason": reason_of(top_up.cause)},
    )
