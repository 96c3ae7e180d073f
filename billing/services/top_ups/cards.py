"""The card that automatic top-up charges: saved by a purchase whose buyer wanted that, removed at any time."""

from datetime import datetime, timedelta
from enum import Enum, auto

import structlog
from django.db import transaction
from django.utils import timezone

from billing.errors import StripeRefused, StripeUnavailable
from billing.gateway.client import StripeGateway
from billing.gateway.saved_cards import CardFacts
from billing.ledger.locking import lock_accounts
from billing.models import AutoTopUp, BillingCustomer, Payment, SubscriptionStatus, TopUpCause, TopUpState
from billing.services.top_ups.stopping import stop_top_up

_ENDED = (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED)
_LOOKED_FOR = timedelta(days=3)
log = structlog.get_logger(__name__)


def save_card_of(*, payment: Payment, gateway: StripeGateway) -> bool:
    """Remember the card that a paid checkout has saved at Stripe; whether there was one.

    Another card than the one agreed to pauses automatic top-up.

    Raises:
        StripeUnavailable: Stripe cannot be asked now.
    """
    if not payment.saves_card or payment.card_saved_at or not payment.paid_at or not payment.payment_intent_id:
        return False
    try:
        intent = gateway.retrieve_payment_intent(payment_intent_id=payment.payment_intent_id)
        card = gateway.retrieve_card(payment_method_id=intent.payment_method_id) if intent.payment_method_id else None
    except StripeRefused as error:
        log.warning("card_not_saved", payment=payment.public_id, reason=str(error))
        card = None
    return _record(payment=payment, card=card)


def save_missing_cards(*, gateway: StripeGateway, now: datetime, limit: int = 50) -> int:
    """Remember cards of the last days that were missed; gives how many. Stops where Stripe is away."""
    paid = Payment.objects.filter(saves_card=True, card_saved_at__isnull=True, paid_at__isnull=False)
    count = 0
    for payment in paid.filter(created_at__gt=now - _LOOKED_FOR).order_by("created_at")[:limit]:
        try:
            count += save_card_of(payment=payment, gateway=gateway)
        except StripeUnavailable as error:
            log.info("cards_not_saved", reason=str(error))
            break
    return count


class Removal(Enum):
    """From where a card was removed."""

    NOTHING = auto()  # there was none
    ONLY_HERE = auto()  # a running plan is paid with it, so Stripe keeps it
    EVERYWHERE = auto()


def remove_card(*, customer_id: int, gateway: StripeGateway) -> Removal:
    """Pause automatic top-up and remove its card here, and at Stripe too unless a running plan is paid with it.

    Raises:
        StripeUnavailable: it is paused, but the card may still be with Stripe; ask again.
    """
    with transaction.atomic(durable=True):
        stop_top_up(customer_id=customer_id, cause=TopUpCause.CARD_REMOVED, is_told=False)
        top_up = AutoTopUp.objects.select_related("customer").filter(pk=customer_id).first()
    if top_up is None or not top_up.payment_method_id:
        return Removal.NOTHING
    card = top_up.payment_method_id
    is_kept = _pays_a_plan(customer=top_up.customer, card=card, gateway=gateway)
    if not is_kept:
        try:
            gateway.detach_card(payment_method_id=card, idempotency_key=f"detach-{card}")
        except StripeRefused as error:  # it is not there any more, which is what was wanted
            log.info("card_was_gone", customer_id=customer_id, reason=str(error))
    with transaction.atomic(durable=True):
        forget_removed_card(payment_method_id=card, is_told=False)
    return Removal.ONLY_HERE if is_kept else Removal.EVERYWHERE


def forget_removed_card(*, payment_method_id: str, is_told: bool = True) -> bool:
    """Pause the top-up that a removed card was for, and forget the card; whether there was one.

    Call inside `transaction.atomic()`.
    """
    customer_id = AutoTopUp.objects.filter(payment_method_id=payment_method_id).values_list("pk", flat=True).first()
    if customer_id is None:
        return False
    lock_accounts(customer_ids=[customer_id])
    if not AutoTopUp.objects.filter(pk=customer_id, payment_method_id=payment_method_id).exists():
        return False
    stop_top_up(customer_id=customer_id, cause=TopUpCause.CARD_REMOVED, forgets_card=True, is_told=is_told)
    return True


def _pays_a_plan(*, customer: BillingCustomer, card: str, gateway: StripeGateway) -> bool:
    """Whether a subscription that has not ended names this card, or none and the customer pays invoices with it."""
    stripe_customer_id = customer.stripe_customer_id
    if not stripe_customer_id:
        return False
    try:
        running = [
            subscription
            for subscription in gateway.list_subscriptions_of(customer_id=stripe_customer_id)
            if subscription.status not in _ENDED
        ]
        if any(subscription.payment_method_id == card for subscription in running):
            return True
        if all(subscription.payment_method_id for subscription in running):
            return False
        details = gateway.retrieve_billing_details(customer_id=stripe_customer_id)
    except StripeRefused as error:  # the customer is gone there, and every subscription with it
        log.info("plans_not_found", customer=customer.public_id, reason=str(error))
        return False
    return details.default_payment_method_id == card


def _record(*, payment: Payment, card: CardFacts | None) -> bool:
    with transaction.atomic(durable=True):
        lock_accounts(customer_ids=[payment.customer_id])
        customer = BillingCustomer.objects.get(pk=payment.customer_id)
        is_saved = card is not None and card.type == "card" and _is_of(customer, card=card)
        if is_saved and card is not None:
            top_up, _ = AutoTopUp.objects.get_or_create(customer_id=payment.customer_id)
            is_saved = not (top_up.payment_method_id and _has_newer_card(payment))
        if is_saved and card is not None:
            if top_up.payment_method_id != card.id and top_up.state == TopUpState.ON:
                stop_top_up(customer_id=payment.customer_id, cause=TopUpCause.CARD_CHANGED)
            AutoTopUp.objects.filter(pk=payment.customer_id).update(
                payment_method_id=card.id,
                card_brand=card.brand[:30],
                card_last_four=card.last4,
                card_exp_month=card.exp_month,
                card_exp_year=card.exp_year,
            )
        Payment.objects.filter(pk=payment.pk).update(card_saved_at=timezone.now())
    return is_saved


def _is_of(customer: BillingCustomer, *, card: CardFacts) -> bool:
    """Whether a card can be charged for this customer; one that nobody has any more can be charged for no one."""
    is_theirs = bool(card.customer_id) and card.customer_id == customer.stripe_customer_id
    if card.customer_id and not is_theirs:
        log.error("card_of_another_customer", alarm=True, customer=customer.public_id, card_of=card.customer_id)
    return is_theirs


def _has_newer_card(payment: Payment) -> bool:
    """Whether a later payment has saved a card already: facts about payments come in any order."""
    saved = Payment.objects.filter(customer_id=payment.customer_id, saves_card=True, card_saved_at__isnull=False)
    return saved.filter(paid_at__gt=payment.paid_at).exists()
