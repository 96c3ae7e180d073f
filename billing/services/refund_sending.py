"""Sends refund requests to Stripe: prepare, call with no database transaction open, record.

An outcome that is not known is asked for again with the same stored key for 23 hours; Stripe may forget the key after
a day, so the refund is looked up then and never asked for again. What is not there after a day was never made.
"""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from billing import conf
from billing.errors import StripeRefused, StripeUnavailable
from billing.gateway.client import KEY_LIFETIME, StripeGateway
from billing.gateway.facts import RefundFacts
from billing.models import RefundRequest, RefundRequestState
from billing.services.convergence import Convergence
from billing.services.payment_facts import facts_of_refunds
from billing.services.payments import converge_payment
from billing.services.refunds import audit_refund

# The last call is not under way at Stripe any more then, so what is not there never will be.
_SURELY_OVER = timedelta(hours=24)
_LEFT_TO_ITS_PAGE = timedelta(minutes=1)  # who asked for a refund sends it, too; after that it is sent from here
_SENDABLE = (RefundRequestState.READY, RefundRequestState.SENT)
_NEVER_MADE = "Stripe did not answer for a day, and has made no such refund. Ask for a new one if it is still wanted."
log = structlog.get_logger(__name__)


def send_refund(
    *, request_id: str, gateway: StripeGateway, actor: User | None = None, address: str = ""
) -> RefundRequest:
    """Have Stripe make a refund that is ready, and record the answer; gives the request as it is then.

    Several at once make one refund, because they send the same key. A request that needs no sending is given as it is.
    An unknown outcome leaves it `sent`; a refusal of Stripe's is stored with it. No exception says so.
    """
    request = _prepare(request_id=request_id, actor=actor, address=address)
    if request is None:
        return RefundRequest.objects.get(public_id=request_id)
    try:
        refund = _call(request, gateway=gateway)
    except StripeUnavailable as error:
        log.warning("refund_outcome_unknown", refund_request=request_id, error=str(error))
    except StripeRefused as error:
        _record(request_id=request_id, refusal=str(error))
    else:
        _record(request_id=request_id, refund=refund, refusal="" if refund else _NEVER_MADE)
        if refund is not None:
            _converge(refund)
    return RefundRequest.objects.get(public_id=request_id)


def send_due_refunds(*, gateway: StripeGateway, now: datetime, limit: int = 50) -> int:
    """Send what was left unsent or unanswered, oldest first, until Stripe is away; gives how many have an answer."""
    before = now - _LEFT_TO_ITS_PAGE
    is_due = Q(sent_at__lte=before) | Q(sent_at__isnull=True, requested_at__lte=before)
    waits = Q(sent_at__lte=now - KEY_LIFETIME, sent_at__gt=now - _SURELY_OVER)  # not sent any more, not given up yet
    due = RefundRequest.objects.filter(is_due & ~waits, state__in=_SENDABLE).order_by("requested_at", "pk")
    count = 0
    for request_id in list(due.values_list("public_id", flat=True)[:limit]):
        if send_refund(request_id=request_id, gateway=gateway).state in _SENDABLE:
            break
        count += 1
    return count


def _prepare(*, request_id: str, actor: User | None, address: str) -> RefundRequest | None:
    """The request, marked as sent before Stripe is called: whatever happens then, it is asked about again."""
    with transaction.atomic(durable=True):
        request = _lock(request_id)
        if request.state not in _SENDABLE:
            return None
        if request.sent_at is None:
            request.sent_at = timezone.now()
            request.save(update_fields=["sent_at"])
            request = _lock(request_id)
            audit_refund("send", request, actor=actor, address=address)
    return request


def _call(request: RefundRequest, *, gateway: StripeGateway) -> RefundFacts | None:
    """The refund at Stripe; None if it turns out that none was made and none may be asked for any more."""
    payment_intent_id, now = request.payment.payment_intent_id or "", timezone.now()
    if request.sent_at is not None and request.sent_at <= now - KEY_LIFETIME:
        made = gateway.list_refunds_of(payment_intent_id=payment_intent_id)
        found = next((refund for refund in made if refund.request_reference == request.public_id), None)
        if found is None and request.sent_at > now - _SURELY_OVER:
            raise StripeUnavailable("The refund is not there yet.")
        return found
    return gateway.create_refund(
        payment_intent_id=payment_intent_id,
        amount_minor=request.amount_minor,
        payment_reference=request.payment.public_id,
        request_reference=request.public_id,
        idempotency_key=request.stripe_idempotency_key,
    )


def _record(*, request_id: str, refund: RefundFacts | None = None, refusal: str = "") -> None:
    """Keep Stripe's answer with the request. The first answer counts; another one of the same key is the same."""
    with transaction.atomic(durable=True):
        request = _lock(request_id)
        if request.state not in _SENDABLE:
            return
        request.answered_at = timezone.now()
        request.refund_id, request.refusal = (refund.id if refund else None), refusal[:500]
        request.save(update_fields=["answered_at", "refund_id", "refusal"])
        audit_refund("accept" if refund else "refuse", _lock(request_id), actor=None, reason=refusal)
    if refusal:
        log.error("refund_refused", refund_request=request_id, reason=refusal)


def _converge(refund: RefundFacts) -> None:
    """Merge the refund at once, as the same fact that Stripe's events tell; they do it should this fail."""
    facts = facts_of_refunds(refunds=[refund], livemode=conf.is_live(), occurred_at=timezone.now())
    try:
        with transaction.atomic(durable=True):
            outcome = converge_payment(facts=[facts])
    except RuntimeError as error:  # books that do not add up: Stripe has made the refund all the same
        log.error("refund_not_merged", alarm=True, refund=refund.id, error=str(error))
        return
    if outcome is not Convergence.CONVERGED:
        log.error("refund_not_merged", alarm=True, refund=refund.id, outcome=outcome)


def _lock(request_id: str) -> RefundRequest:
    rows = RefundRequest.objects.select_for_update(of=("self",)).select_related("payment__customer")
    return rows.get(public_id=request_id)
