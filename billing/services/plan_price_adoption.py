"""A recurring price that staff made at Stripe becomes one of a plan: how prices that were agreed come in."""

from __future__ import annotations

from decimal import Decimal

import structlog
from django.db import IntegrityError, transaction

from accounts.models import User
from billing import conf
from billing.errors import InvalidRequest, StripeRefused
from billing.gateway.client import StripeGateway
from billing.gateway.facts import PriceFacts
from billing.models import Plan, PlanPrice
from billing.services.audit import record_audit

log = structlog.get_logger(__name__)


def adopt_plan_price(
    *, plan: Plan, price_id: str, credits: Decimal, gateway: StripeGateway, actor: User | None = None, address: str = ""
) -> PlanPrice:
    """Let subscriptions at an existing price of Stripe's belong to a plan; a period of one seat brings `credits`.

    The plans page goes on offering the plan's own price. What was adopted is never changed. The audit log gets who did
    it (`actor`) from where (`address`).

    Raises:
        InvalidRequest: there is no such price, it does not recur, or it belongs to a plan already.
        StripeUnavailable: Stripe cannot be asked now.
    """
    try:
        price = gateway.retrieve_price(price_id=price_id)  # over the network, so outside any database transaction
    except StripeRefused as refusal:
        raise _refuse(f"Stripe knows no price {price_id!r}") from refusal
    if fault := _find_fault(price):
        raise _refuse(fault)
    try:
        with transaction.atomic():
            adopted = PlanPrice.objects.create(
                plan=plan,
                stripe_price_id=price.id,
                credits=credits,
                amount_minor=price.amount_minor or 0,
                currency=price.currency,
                interval=price.interval,
                is_current=False,
            )
            after = {"stripe_price_id": price.id, "amount_minor": price.amount_minor, "credits": str(credits)}
            record_audit(actor=actor, action="plan.add_price", target=plan, before={}, after=after, address=address)
    except IntegrityError as known:
        raise _refuse("it belongs to a plan already") from known
    log.info("plan_price_adopted", plan=plan.slug, price=price.id)
    return adopted


def _find_fault(price: PriceFacts) -> str:
    if price.livemode is not conf.is_live():
        return "it is of live mode, our keys are not" if price.livemode else "it is of test mode, our keys are not"
    if not price.is_active:
        return "it is not active"
    if price.interval not in ("month", "year"):
        return "it is not paid once a month or once a year"
    return "" if price.amount_minor else "it has no fixed amount above zero"


def _refuse(fault: str) -> InvalidRequest:
    return InvalidRequest(field="price_id", fault=fault, remedy="Make one in Stripe's dashboard, and send its id.")
