"""Our customers' counterparts at Stripe: made at first need, made anew where Stripe has lost one."""

from hashlib import sha256

import structlog
from django.db import transaction

from billing.gateway.client import StripeGateway
from billing.ledger.locking import lock_accounts
from billing.models import BillingCustomer, TopUpCause
from billing.services.top_ups.stopping import stop_top_up

log = structlog.get_logger(__name__)


def ensure_stripe_customer(*, customer: BillingCustomer, gateway: StripeGateway) -> str:
    """The id of the customer at Stripe. Two callers at once make the same one, by the same idempotency key.

    Raises:
        StripeRefused, StripeUnavailable: it could not be made; nothing is lost, ask again.
    """
    known = BillingCustomer.objects.values_list("stripe_customer_id", flat=True).get(pk=customer.pk)
    return known or _make(customer=customer, instead_of=None, gateway=gateway)


def replace_stripe_customer(*, customer: BillingCustomer, missing_id: str, gateway: StripeGateway) -> str:
    """The id of a new customer at Stripe in place of one that was deleted there."""
    known = BillingCustomer.objects.values_list("stripe_customer_id", flat=True).get(pk=customer.pk)
    if known and known != missing_id:
        return known
    log.warning("stripe_customer_replaced", customer=customer.public_id, missing=missing_id)
    return _make(customer=customer, instead_of=missing_id, gateway=gateway)


def forget_stripe_customer(*, stripe_customer_id: str) -> bool:
    """Mark a customer's id at Stripe as gone; says whether it was the one in use.

    Credits stay, and the next purchase makes a new customer at Stripe. Call inside `transaction.atomic()`.
    """
    customer = BillingCustomer.objects.filter(stripe_customer_id=stripe_customer_id).first()
    if customer is None:
        return False
    lock_accounts(customer_ids=[customer.pk])
    customer = BillingCustomer.objects.select_for_update().get(pk=customer.pk)
    if customer.stripe_customer_id != stripe_customer_id:
        return False
    _retire(customer)
    customer.stripe_customer_id = customer.details_saved_at = None
    customer.save(update_fields=["stripe_customer_id", "former_stripe_customer_ids", "details_saved_at"])
    stop_top_up(customer_id=customer.pk, cause=TopUpCause.CUSTOMER_GONE, forgets_card=True)
    log.warning("stripe_customer_gone", customer=customer.public_id, missing=stripe_customer_id)
    return True


def _retire(customer: BillingCustomer) -> None:
    """Remember the id: events of its payments still name it."""
    if customer.stripe_customer_id and customer.stripe_customer_id not in customer.former_stripe_customer_ids:
        customer.former_stripe_customer_ids = [*customer.former_stripe_customer_ids, customer.stripe_customer_id]


def _make(*, customer: BillingCustomer, instead_of: str | None, gateway: StripeGateway) -> str:
    email = customer.user.email if customer.user else customer.email
    made = gateway.create_customer(
        email=email,
        reference=customer.public_id,
        idempotency_key=_idempotency_key(customer=customer, email=email, instead_of=instead_of),
    )
    with transaction.atomic(durable=True):
        lock_accounts(customer_ids=[customer.pk])
        stored = BillingCustomer.objects.get(pk=customer.pk)
        if stored.stripe_customer_id in (None, instead_of):
            _retire(stored)
            stored.stripe_customer_id, stored.details_saved_at = made.id, None
            stored.save(update_fields=["stripe_customer_id", "former_stripe_customer_ids", "details_saved_at"])
            if instead_of is not None:
                stop_top_up(customer_id=customer.pk, cause=TopUpCause.CUSTOMER_GONE, forgets_card=True)
    return str(stored.stripe_customer_id)


def _idempotency_key(*, customer: BillingCustomer, email: str, instead_of: str | None) -> str:
    """Stripe refuses a key that comes again with other values, so what may change is part of it."""
    address = sha256(email.encode()).hexdigest()[:12]
    return "-".join(["customer", customer.public_id, address, *([instead_of] if instead_of else [])])
