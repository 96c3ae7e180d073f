"""Set up automatic top-up: show what is agreed to, take the consent, turn it off again."""

from dataclasses import dataclass
from decimal import Decimal

import structlog
from django.db import transaction
from django.utils import timezone

from billing import conf
from billing.errors import CustomerFrozen, InvalidRequest, PackUnavailable
from billing.ledger import balances
from billing.ledger.locking import lock_accounts
from billing.models import AutoTopUp, BillingCustomer, CreditPack, TopUpCause, TopUpConsent, TopUpState
from billing.money import format_credits, format_money
from billing.selectors.selling import sells_to
from billing.services.top_ups.stopping import stop_top_up
from billing.services.top_ups.wording import Wording, card_name, word_consent

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a customer wants: below which balance which pack is bought, and for how much money a month at most."""

    pack: str
    threshold: Decimal
    ceiling_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A choice with its pack, and the words to agree to."""

    choice: Choice
    pack: CreditPack
    wording: Wording


def propose(*, customer: BillingCustomer, choice: Choice) -> Proposal:
    """What the customer would agree to, as things are now.

    Raises:
        PackUnavailable: the pack is not sold.
        InvalidRequest: the threshold or the limit does not fit the pack, or no card is saved.
    """
    pack = CreditPack.objects.filter(slug=choice.pack, is_active=True).first()
    if pack is None or not sells_to(customer):
        raise PackUnavailable(pack=choice.pack)
    _check_choice(choice=choice, pack=pack)
    top_up = AutoTopUp.objects.filter(pk=customer.pk).first()
    if top_up is None or not top_up.payment_method_id or not customer.stripe_customer_id:
        raise InvalidRequest(field="card", fault="no card is saved", remedy="Buy a pack and have its card saved first.")
    wording = word_consent(
        pack=pack,
        threshold_text=format_credits(choice.threshold),
        ceiling_minor=choice.ceiling_minor,
        card=card_name(top_up),
        is_taxed=conf.is_automatic_tax_on(),
    )
    return Proposal(choice=choice, pack=pack, wording=wording)


def give_consent(*, customer: BillingCustomer, choice: Choice, digest: str) -> AutoTopUp:
    """Turn automatic top-up on by the customer's consent to the words of that digest.

    Raises:
        PackUnavailable, InvalidRequest: as `propose`, or those words are not what would be agreed to now.
        CustomerFrozen: spending is frozen.
    """
    with transaction.atomic():
        accounts, _ = lock_accounts(customer_ids=[customer.pk])
        if accounts[customer.pk].is_frozen:
            raise CustomerFrozen
        customer = BillingCustomer.objects.get(pk=customer.pk)
        proposal = propose(customer=customer, choice=choice)
        if proposal.wording.digest != digest:
            raise InvalidRequest(
                field="consent", fault="the terms have changed meanwhile", remedy="Read them again and confirm."
            )
        top_up = AutoTopUp.objects.get(pk=customer.pk)
        top_up.consent = _store(customer=customer, proposal=proposal, top_up=top_up)
        top_up.state, top_up.cause, top_up.detail = TopUpState.ON, "", ""
        top_up.changed_at = top_up.consent.given_at
        top_up.save()
        balances.arm_top_up(customer_id=customer.pk, below=choice.threshold)
    log.info("top_up_turned_on", customer=customer.public_id, pack=choice.pack)
    return top_up


def turn_off(*, customer_id: int, cause: TopUpCause = TopUpCause.CUSTOMER) -> bool:
    """Turn it off at once, as the customer or staff want it; whether it was not off before."""
    with transaction.atomic():
        return stop_top_up(customer_id=customer_id, cause=cause)


def _check_choice(*, choice: Choice, pack: CreditPack) -> None:
    if not 0 < choice.threshold < pack.credits:
        raise InvalidRequest(
            field="threshold",
            fault=f"{format_credits(choice.threshold)} cannot be chosen with this pack",
            remedy=f"Choose more than 0 and less than its {format_credits(pack.credits)} credits.",
        )
    if choice.ceiling_minor < pack.price_minor:
        price = format_money(amount_minor=pack.price_minor, currency=pack.currency)
        raise InvalidRequest(field="ceiling", fault="it is less than one pack costs", remedy=f"Choose {price} or more.")
    if conf.is_automatic_tax_on() and choice.ceiling_minor == pack.price_minor:
        price = format_money(amount_minor=pack.price_minor, currency=pack.currency)
        raise InvalidRequest(field="ceiling", fault="it leaves no room for tax", remedy=f"Choose more than {price}.")


def _store(*, customer: BillingCustomer, proposal: Proposal, top_up: AutoTopUp) -> TopUpConsent:
    pack = proposal.pack
    return TopUpConsent.objects.create(
        customer=customer,
        given_at=timezone.now(),
        wording=proposal.wording.text,
        language=proposal.wording.language,
        pack=pack,
        description=pack.name,
        credits=pack.credits,
        bonus_credits=pack.bonus_credits,
        amount_minor=pack.price_minor,
        currency=pack.currency,
        lifetime_days=pack.lifetime_days,
        is_taxed=conf.is_automatic_tax_on(),
        threshold=proposal.choice.threshold,
        ceiling_minor=proposal.choice.ceiling_minor,
        stripe_customer_id=customer.stripe_customer_id or "",
        payment_method_id=top_up.payment_method_id,
        card=card_name(top_up),
    )
