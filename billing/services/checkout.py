"""Open a checkout: prepare the payment, call Stripe (outside any transaction), record what it answered."""

from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from billing import conf
from billing.errors import IdempotencyConflict, InvalidRequest, NothingSold, StripeObjectMissing, StripeRefused
from billing.gateway.client import KEY_LIFETIME, StripeGateway, UiMode, amount_line, price_line
from billing.gateway.facts import SessionFacts
from billing.gateway.faults import missing_param
from billing.ledger.locking import lock_accounts
from billing.models import BillingCustomer, Payment, PaymentKind
from billing.models.payment import new_payment_id
from billing.pricing import may_take_code
from billing.selectors.selling import sells_to
from billing.services.checkout_limits import check_checkout_rate, lock_network
from billing.services.orders import Order
from billing.services.parked_events import wake_parked_events
from billing.services.stripe_customers import ensure_stripe_customer, replace_stripe_customer

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedCheckout:
    """An open checkout. An embedded one has a secret for the browser, a hosted one the address of Stripe's page."""

    payment: Payment
    session_id: str
    client_secret: str = field(repr=False)
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutPages:
    """Where Stripe sends the buyer back to; `returned` holds `{CHECKOUT_SESSION_ID}`."""

    returned: str
    cancelled: str


def start_checkout(
    *,
    customer: BillingCustomer,
    order: Order,
    form_key: str,
    ui_mode: UiMode,
    network_hash: str,
    pages: CheckoutPages,
    gateway: StripeGateway,
    saves_card: bool = False,
) -> StartedCheckout:
    """Open a checkout for an order, or give the one that this form has opened already.

    `form_key` names the intent: a double click and a retry after any failure end in the one session. `network_hash`
    stands for the caller's address in the limit on checkouts; empty where there is none. `saves_card`: the buyer wants
    the card kept for automatic top-up, which that alone does not turn on.

    Raises:
        NothingSold: nothing is sold, or not to this customer.
        CheckoutRateLimited: too many were opened by this customer or from this address.
        IdempotencyConflict: the form was used for another order.
        InvalidRequest: the form's checkout is over.
        StripeRefused: Stripe will not open it, now or later; recorded with the payment.
        StripeUnavailable: Stripe could not be reached; the same form may be sent again.
    """
    if not sells_to(customer):
        raise NothingSold
    payment = _prepare(
        customer=customer,
        order=order,
        form_key=form_key,
        ui_mode=ui_mode,
        network_hash=network_hash,
        saves_card=saves_card,
    )
    if payment.refused_at is not None:
        raise StripeRefused(payment.refusal)
    try:
        session = _open_session(payment=payment, pages=pages, gateway=gateway)
    except StripeRefused as refusal:
        _record_refusal(payment=payment, reason=str(refusal))
        raise
    payment = _record_session(payment=payment, session=session)
    if session.status != "open":
        raise InvalidRequest(
            field="form_key", fault="the checkout of this form is over", remedy="Open the page again to buy once more."
        )
    return StartedCheckout(payment=payment, session_id=session.id, client_secret=session.client_secret, url=session.url)


def _prepare(
    *,
    customer: BillingCustomer,
    order: Order,
    form_key: str,
    ui_mode: UiMode,
    network_hash: str,
    saves_card: bool,
) -> Payment:
    """The form's payment, written before Stripe is called, with the terms as they are now."""
    with transaction.atomic(durable=True):
        lock_network(network_hash=network_hash)
        lock_accounts(customer_ids=[customer.pk])
        known = Payment.objects.filter(customer=customer, form_key=form_key).first()
        if known is not None:
            if (known.ui_mode, known.saves_card) != (ui_mode, saves_card) or not order.is_what_was_paid_for(known):
                raise IdempotencyConflict(key=form_key)
            return known
        check_checkout_rate(customer_id=customer.pk, network_hash=network_hash, now=timezone.now())
        public_id = new_payment_id()
        return Payment.objects.create(
            public_id=public_id,
            customer=customer,
            kind=order.kind,
            pack=order.pack,
            plan=order.plan,
            trial_days=order.trial_days,
            form_key=form_key,
            network_hash=network_hash,
            description=order.description,
            credits=order.credits,
            bonus_credits=order.bonus_credits,
            amount_minor=order.amount_minor,
            currency=order.currency,
            lifetime_days=order.lifetime_days,
            stripe_price_id=order.stripe_price_id,
            takes_codes=conf.are_promotion_codes_taken()
            and may_take_code(price_minor=order.amount_minor, min_paid_minor=conf.promotion_min_paid_minor()),
            min_paid_minor=conf.promotion_min_paid_minor(),
            ui_mode=ui_mode,
            saves_card=saves_card,
            stripe_idempotency_key=f"checkout-{public_id}",
        )


def _open_session(*, payment: Payment, pages: CheckoutPages, gateway: StripeGateway) -> SessionFacts:
    if payment.checkout_session_id:
        return gateway.retrieve_session(session_id=payment.checkout_session_id)
    stripe_customer_id = ensure_stripe_customer(customer=payment.customer, gateway=gateway)
    if payment.created_at < timezone.now() - KEY_LIFETIME:
        return _look_up_session(payment=payment, stripe_customer_id=stripe_customer_id, gateway=gateway)
    try:
        session = _create_session(payment=payment, stripe_customer_id=stripe_customer_id, pages=pages, gateway=gateway)
    except StripeObjectMissing as missing:
        if missing_param(missing) != "customer":
            raise
        stripe_customer_id = replace_stripe_customer(
            customer=payment.customer, missing_id=stripe_customer_id, gateway=gateway
        )
        session = _create_session(payment=payment, stripe_customer_id=stripe_customer_id, pages=pages, gateway=gateway)
    _check_price(payment=payment, session=session, gateway=gateway)
    return session


def _create_session(
    *, payment: Payment, stripe_customer_id: str, pages: CheckoutPages, gateway: StripeGateway
) -> SessionFacts:
    """What is sent comes from the payment's row and the settings in its key: one key, one set of values."""
    if payment.kind == PaymentKind.PLAN:
        return gateway.create_plan_session(
            payment_reference=payment.public_id,
            customer_id=stripe_customer_id,
            price_id=payment.stripe_price_id,
            trial_days=payment.trial_days,
            ui_mode=payment.ui_mode,
            return_url=pages.returned,
            cancel_url=pages.cancelled,
            takes_codes=payment.takes_codes,
            is_taxed=conf.is_automatic_tax_on(),
            idempotency_key=_store_key(payment=payment, stripe_customer_id=stripe_customer_id),
        )
    line_item = (
        price_line(price_id=payment.stripe_price_id)
        if payment.stripe_price_id
        else amount_line(amount_minor=payment.amount_minor, currency=payment.currency, name=payment.description)
    )
    return gateway.create_checkout_session(
        payment_reference=payment.public_id,
        customer_id=stripe_customer_id,
        line_item=line_item,
        ui_mode="hosted_page" if payment.ui_mode == "hosted_page" else "embedded_page",
        return_url=pages.returned,
        cancel_url=pages.cancelled,
        description=payment.description,
        takes_codes=payment.kind == PaymentKind.PACK and payment.takes_codes,
        is_taxed=conf.is_automatic_tax_on(),
        saves_card=payment.saves_card,
        idempotency_key=_store_key(payment=payment, stripe_customer_id=stripe_customer_id),
    )


def _store_key(*, payment: Payment, stripe_customer_id: str) -> str:
    """The key of the call, stored before it. It names Stripe's customer, who may have to be made anew in between."""
    tax = "-tax" if conf.is_automatic_tax_on() else ""
    key = f"checkout-{payment.public_id}{tax}-{stripe_customer_id}"[:100]
    if payment.stripe_idempotency_key != key:
        Payment.objects.filter(pk=payment.pk).update(stripe_idempotency_key=key)
        payment.stripe_idempotency_key = key
    return key


def _look_up_session(*, payment: Payment, stripe_customer_id: str, gateway: StripeGateway) -> SessionFacts:
    """The session of a call whose outcome was never learned and whose key Stripe may have forgotten.

    Raises:
        InvalidRequest: Stripe has none, and it is too late to make one for this form.
    """
    for session in gateway.list_sessions_of_customer(customer_id=stripe_customer_id):
        if session.payment_reference == payment.public_id:
            return session
        if session.created_at is not None and session.created_at < payment.created_at - timedelta(hours=1):
            break
    raise InvalidRequest(field="form_key", fault="the form is too old", remedy="Open the page again to buy.")


def _check_price(*, payment: Payment, session: SessionFacts, gateway: StripeGateway) -> None:
    """Let nobody pay another price than the one offered: a price at Stripe may have been changed behind our back."""
    if payment.trial_days:  # nothing is asked for yet; its invoices are judged line by line
        return
    if (session.amount_subtotal_minor, session.currency) == (payment.amount_minor, payment.currency):
        return
    log.error("stripe_price_differs", alarm=True, payment=payment.public_id, price=payment.stripe_price_id)
    if session.status == "open":
        gateway.expire_session(session_id=session.id, idempotency_key=f"expire-{session.id}")
    raise StripeRefused("The price at Stripe is not the one offered here. Nothing was charged; we have been told.")


def _record_session(*, payment: Payment, session: SessionFacts) -> Payment:
    with transaction.atomic(durable=True):
        lock_accounts(customer_ids=[payment.customer_id])
        stored = Payment.objects.select_for_update().get(pk=payment.pk)
        if stored.checkout_session_id not in (None, session.id):
            raise RuntimeError(f"The payment {stored.public_id} has a session and was given another.")
        if stored.checkout_session_id is None:
            stored.checkout_session_id = session.id
            stored.save(update_fields=["checkout_session_id"])
            wake_parked_events(named=[session.id])
    return stored


def _record_refusal(*, payment: Payment, reason: str) -> None:
    with transaction.atomic(durable=True):
        lock_accounts(customer_ids=[payment.customer_id])
        unopened = Payment.objects.filter(pk=payment.pk, checkout_session_id__isnull=True, refused_at__isnull=True)
        unopened.update(refused_at=timezone.now(), refusal=reason[:500])
    log.warning("checkout_refused", payment=payment.public_id, reason=reason)
