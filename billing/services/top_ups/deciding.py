"""Decides about a top-up that spending has asked for, under the balance's lock. Charging comes after it."""

from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from billing.ledger import balances
from billing.ledger.locking import lock_accounts
from billing.ledger.posting import expire_lapsed_credits_of
from billing.models import AutoTopUp, CreditBalance, Payment, PaymentKind, TopUpCause, TopUpConsent, TopUpState
from billing.models.payment import new_payment_id
from billing.selectors.top_ups import find_consent_gap, read_situation
from billing.services.top_ups.stopping import stop_top_up
from billing.top_up_rules import Judgement, Verdict, judge

log = structlog.get_logger(__name__)


def decide_top_up(*, customer_id: int) -> Payment | None:
    """An attempt to charge, written in the transaction that clears the mark; None if nothing is to be charged now.

    Of several at once one makes the attempt: they wait for the one lock, and the others find no mark.
    """
    with transaction.atomic(durable=True):
        accounts, _ = lock_accounts(customer_ids=[customer_id])
        due_at, now = accounts[customer_id].top_up_due_at, timezone.now()
        if due_at is None or due_at > now:
            return None
        top_up = AutoTopUp.objects.select_related("consent__pack", "customer__user").get(pk=customer_id)
        consent = top_up.consent
        if consent is None:
            raise RuntimeError(f"Automatic top-up of customer {customer_id} is on without a consent.")
        judgement = judge_now(top_up=top_up, consent=consent, now=now)
        log.info("top_up_judged", customer_id=customer_id, verdict=judgement.verdict, obstacle=judgement.obstacle)
        if judgement.verdict is not Verdict.CHARGE:
            follow_judgement(top_up=top_up, judgement=judgement)
            return None
        balances.put_off_top_up(customer_id=customer_id, until=None)
        return _write_attempt(consent=consent, now=now)


def judge_now(*, top_up: AutoTopUp, consent: TopUpConsent, now: datetime, but: Payment | None = None) -> Judgement:
    """The judgement on a locked balance, as if the attempt `but` did not exist; what has lapsed is expired first."""
    expire_lapsed_credits_of(customer_id=top_up.customer_id)
    balance = CreditBalance.objects.get(pk=top_up.customer_id)
    situation = read_situation(top_up=top_up, consent=consent, balance=balance, now=now, but=but)
    return judge(situation=situation, now=now)


def follow_judgement(*, top_up: AutoTopUp, judgement: Judgement) -> None:
    """Do what follows where nothing is charged: forget the wish, put it off, or pause."""
    if judgement.verdict is Verdict.PAUSE:
        gap = find_consent_gap(top_up=top_up) or TopUpCause.TERMS_CHANGED
        stop_top_up(customer_id=top_up.customer_id, cause=gap)
    else:
        balances.put_off_top_up(customer_id=top_up.customer_id, until=judgement.until)


def pause_what_changed(*, limit: int = 1000) -> int:
    """Stop top-ups whose pack is not what was agreed to any more, or whose account was closed; gives how many."""
    as_agreed = Q(
        consent__pack__is_active=True,
        consent__amount_minor=F("consent__pack__price_minor"),
        consent__currency=F("consent__pack__currency"),
        consent__credits=F("consent__pack__credits"),
        consent__bonus_credits=F("consent__pack__bonus_credits"),
        customer__user__is_active=True,
    ) & (
        Q(consent__lifetime_days=F("consent__pack__lifetime_days"))
        | Q(consent__lifetime_days__isnull=True, consent__pack__lifetime_days__isnull=True)
    )
    changed = AutoTopUp.objects.filter(~as_agreed, state=TopUpState.ON).values_list("pk", flat=True)
    count = 0
    for customer_id in list(changed[:limit]):
        with transaction.atomic():
            lock_accounts(customer_ids=[customer_id])
            top_up = AutoTopUp.objects.select_related("consent__pack", "customer__user").get(pk=customer_id)
            gap = find_consent_gap(top_up=top_up)
            count += gap is not None and stop_top_up(customer_id=customer_id, cause=gap)
    return count


def _write_attempt(*, consent: TopUpConsent, now: datetime) -> Payment:
    public_id = new_payment_id()
    return Payment.objects.create(
        public_id=public_id,
        customer_id=consent.customer_id,
        kind=PaymentKind.AUTO_TOP_UP,
        pack_id=consent.pack_id,
        consent=consent,
        form_key=f"top-up:{public_id}",
        description=consent.description,
        credits=consent.credits,
        bonus_credits=consent.bonus_credits,
        amount_minor=consent.amount_minor,
        currency=consent.currency,
        lifetime_days=consent.lifetime_days,
        ui_mode="",
        stripe_idempotency_key=f"top-up-{public_id}",
        next_try_at=now,
    )
