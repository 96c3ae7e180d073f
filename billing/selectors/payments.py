"""Payments, read."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from django.db.models import Q

from billing.models import BillingCustomer, Payment, PaymentKind, PaymentState, PlanPeriod, StripeEvent
from billing.money import ZERO

_COMPLETION_EVENTS = ("checkout.session.completed", "checkout.session.async_payment_succeeded")


class CheckoutState(StrEnum):
    """What the buyer of a checkout sees."""

    OPEN = "open"  # Stripe has told us nothing yet
    BEING_CREDITED = "being_credited"  # Stripe has told us, the credits are moments away
    CREDITED = "credited"
    PROCESSING = "processing"  # completed by a method that takes days
    FAILED = "failed"
    EXPIRED = "expired"
    REVIEW = "review"  # paid, but not what was offered: staff decide
    REFUNDED = "refunded"  # paid, never credited, and all of it has gone back
    TRIAL = "trial"  # a plan's free days have begun
    FREE_PERIOD = "free_period"  # a code made a plan's first period free, which brings no credits


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutStatus:
    """Where a customer's checkout stands, and its payment."""

    state: CheckoutState
    payment: Payment
    granted: Decimal = ZERO  # credits that it brings, or a plan's period has brought so far


def checkout_status(*, customer: BillingCustomer, session_id: str) -> CheckoutStatus | None:
    """Where the customer's checkout stands; None if no checkout of that id is theirs. A few queries at most."""
    payments = Payment.objects.filter(customer=customer, checkout_session_id=session_id)
    payment = payments.select_related("plan", "pack").first()
    return payment_status(payment) if payment else None


def payment_status(payment: Payment) -> CheckoutStatus:
    """Where a payment stands, as its buyer sees it."""
    if payment.kind == PaymentKind.PLAN:
        return _plan_status(payment)
    return CheckoutStatus(
        state=_checkout_state(payment), payment=payment, granted=payment.credits + payment.bonus_credits
    )


def find_payment(
    *, reference: str = "", session_id: str = "", payment_intent_id: str = "", charge_id: str = ""
) -> Payment | None:
    """The payment that an object of Stripe's names: by our own id first, then by the object's."""
    if reference and (payment := Payment.objects.filter(public_id=reference).first()):
        return payment
    named = Q(pk__in=[])
    if session_id:
        named |= Q(checkout_session_id=session_id)
    if payment_intent_id:
        named |= Q(payment_intent_id=payment_intent_id)
    if charge_id:
        named |= Q(charge_id=charge_id)
    return Payment.objects.filter(named).order_by("pk").first()


def failed_attempt_messages(payment: Payment) -> Collection[str]:
    """Why attempts to pay failed, in Stripe's words for the buyer, oldest first."""
    attempts = sorted(payment.failed_attempts.values(), key=lambda attempt: str(attempt["at"]))
    return [str(attempt["message"]) for attempt in attempts]


def _plan_status(payment: Payment) -> CheckoutStatus:
    """Where the checkout of a plan stands: its credits follow the lines of its first invoice."""
    if payment.state == PaymentState.PROCESSING:  # complete, and the invoice is still to come
        return CheckoutStatus(state=CheckoutState.BEING_CREDITED, payment=payment)
    if payment.state != PaymentState.PAID or payment.given_back_minor:
        return CheckoutStatus(state=_checkout_state(payment), payment=payment)
    periods = list(PlanPeriod.objects.filter(lines__invoice__payment=payment).distinct())
    if any(period.posting_count for period in periods):
        granted = sum((period.target_credits for period in periods), ZERO)
        return CheckoutStatus(state=CheckoutState.CREDITED, payment=payment, granted=granted)
    state = CheckoutState.BEING_CREDITED
    if not payment.paid_amount_minor:
        state = CheckoutState.TRIAL if payment.trial_days else CheckoutState.FREE_PERIOD
    return CheckoutStatus(state=state, payment=payment)


def _checkout_state(payment: Payment) -> CheckoutState:
    match payment.state:
        case PaymentState.REVIEW:
            return CheckoutState.REVIEW
        case PaymentState.PAID:
            if payment.posting_count:
                return CheckoutState.CREDITED
            has_gone_back = 0 < (payment.paid_amount_minor or 0) <= payment.given_back_minor
            return CheckoutState.REFUNDED if has_gone_back else CheckoutState.BEING_CREDITED
        case PaymentState.PROCESSING:
            return CheckoutState.PROCESSING
        case PaymentState.FAILED:
            return CheckoutState.FAILED
        case PaymentState.EXPIRED:
            return CheckoutState.EXPIRED
    told = StripeEvent.objects.filter(object_id=payment.checkout_session_id, type__in=_COMPLETION_EVENTS).exists()
    return CheckoutState.BEING_CREDITED if told else CheckoutState.OPEN
