"""What a buyer orders: a pack, or an amount of their own. Priced here, never by the browser."""

from dataclasses import dataclass
from decimal import Decimal

from billing import conf
from billing.errors import AlreadySubscribed, InvalidRequest, PackUnavailable, PlanUnavailable
from billing.models import BillingCustomer, CreditPack, Payment, PaymentKind, Plan, PlanPrice, Subscription
from billing.money import ZERO, credits_for_minor, format_credits, format_money

NOT_RUNNING = ("incomplete", "incomplete_expired", "canceled")
CUSTOM_CURRENCY = "usd"  # the only one with a list price in credits


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The terms of a payment: what is granted for which price."""

    kind: PaymentKind
    pack: CreditPack | None
    plan: Plan | None = None
    trial_days: int = 0
    description: str
    credits: Decimal
    bonus_credits: Decimal
    amount_minor: int
    currency: str
    lifetime_days: int | None
    stripe_price_id: str

    def is_what_was_paid_for(self, payment: Payment) -> bool:
        """Whether a payment was opened for the same thing. A pack that was changed since is still the same pack."""
        if self.plan is not None or payment.plan_id is not None:
            return self.plan is not None and payment.plan_id == self.plan.pk
        if self.pack is not None or payment.pack_id is not None:
            return self.pack is not None and payment.pack_id == self.pack.pk
        return payment.amount_minor == self.amount_minor


def order_pack(*, slug: str) -> Order:
    """The terms of a pack for sale, as they are now.

    Raises:
        PackUnavailable: no pack of that address is for sale.
    """
    pack = CreditPack.objects.filter(slug=slug, is_active=True).first()
    if pack is None:
        raise PackUnavailable(pack=slug)
    return Order(
        kind=PaymentKind.PACK,
        pack=pack,
        description=pack.name,
        credits=pack.credits,
        bonus_credits=pack.bonus_credits,
        amount_minor=pack.price_minor,
        currency=pack.currency,
        lifetime_days=pack.lifetime_days,
        stripe_price_id=pack.stripe_price_id,
    )


def order_custom_amount(*, amount_minor: int) -> Order:
    """The terms for an amount of US cents that the buyer chose: list price, no bonus.

    Raises:
        InvalidRequest: less or more than may be chosen.
    """
    least, most = conf.custom_amount_limits_minor()
    if not least <= amount_minor <= most:
        bounds = [format_money(amount_minor=bound, currency=CUSTOM_CURRENCY) for bound in (least, most)]
        raise InvalidRequest(
            field="amount",
            fault=f"{format_money(amount_minor=amount_minor, currency=CUSTOM_CURRENCY)} cannot be chosen",
            remedy=f"Choose an amount from {bounds[0]} to {bounds[1]}.",
        )
    credits = credits_for_minor(
        amount_minor=amount_minor, currency=CUSTOM_CURRENCY, credits_per_usd=int(conf.credits_per_usd())
    )
    return Order(
        kind=PaymentKind.CUSTOM,
        pack=None,
        description=f"{format_credits(credits)} credits",
        credits=credits,
        bonus_credits=ZERO,
        amount_minor=amount_minor,
        currency=CUSTOM_CURRENCY,
        lifetime_days=None,
        stripe_price_id="",
    )


def order_plan(*, slug: str, customer: BillingCustomer) -> Order:
    """The terms of a plan, as they are now. A trial is for who has never subscribed.

    Raises:
        PlanUnavailable: no plan of that address is on offer, or it has no price at Stripe (yet).
        AlreadySubscribed: a subscription runs; it is changed instead.
    """
    price = PlanPrice.objects.filter(plan__slug=slug, plan__is_active=True, is_current=True)
    offer = price.exclude(plan__price_minor=None).select_related("plan").order_by("pk").first()
    if offer is None:
        raise PlanUnavailable(plan=slug)
    own = Subscription.objects.filter(customer=customer)
    running = own.filter(ended_at__isnull=True).exclude(status__in=NOT_RUNNING).select_related("plan").first()
    if running is not None:
        raise AlreadySubscribed(plan=running.plan.name if running.plan else "a plan")
    return Order(
        kind=PaymentKind.PLAN,
        pack=None,
        plan=offer.plan,
        trial_days=0 if own.exists() else offer.plan.trial_days,
        description=offer.plan.name,
        credits=ZERO,
        bonus_credits=ZERO,
        amount_minor=offer.amount_minor,
        currency=offer.currency,
        lifetime_days=None,
        stripe_price_id=offer.stripe_price_id,
    )
