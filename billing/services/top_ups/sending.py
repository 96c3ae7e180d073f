"""Sends an attempt to Stripe: prepare, call with no database transaction open, record.

Before each call everything that could speak against a charge is judged again. Where something does, an attempt that
was never sent is withdrawn, and one that may have been charged is only looked up: the stored key is never sent again
for money that may not be taken any more. Nor is it after a day, when Stripe may have forgotten it.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from billing.errors import StripeObjectMissing, StripeRefused, StripeUnavailable
from billing.gateway.client import KEY_LIFETIME, StripeGateway
from billing.gateway.faults import missing_param
from billing.ledger import balances
from billing.ledger.locking import lock_accounts
from billing.models import AutoTopUp, Payment, TopUpCause, TopUpConsent
from billing.services.top_ups.asking import Answer, ask_stripe, look_up
from billing.services.top_ups.deciding import follow_judgement, judge_now
from billing.services.top_ups.invoicing import BeyondLimit, CollectsDebt, EndedBefore, Withdrawn
from billing.services.top_ups.recording import record_answer
from billing.services.top_ups.stopping import stop_top_up
from billing.top_up_rules import Judgement, Verdict, next_month_start

# A call that was given up is not under way at Stripe any more after this, so what is not there then never will be.
_SURELY_OVER = timedelta(hours=1)
_WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60))
_COLLECTS_DEBT = "It would have charged what the customer owes at Stripe, too. Nothing was charged."
_ENDED_BEFORE = "Its invoice was ended before it was paid. Nothing was charged."
_NEVER_CHARGED = "Stripe has no such payment. Nothing was charged."
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What is to be done about an attempt now: to charge it, or only to look it up."""

    attempt: Payment
    consent: TopUpConsent
    charges: bool
    is_over_if_missing: bool


def send_attempt(*, attempt_id: int, gateway: StripeGateway) -> Payment:
    """Have Stripe charge an attempt, or learn what became of it; gives the attempt as it is then.

    Several at once do it once. An outcome that is not known is asked for again later; no exception says so.
    """
    with suppress(StripeUnavailable):
        settle_attempt(attempt_id=attempt_id, gateway=gateway)
    return Payment.objects.get(pk=attempt_id)


def settle_attempt(*, attempt_id: int, gateway: StripeGateway) -> None:
    """As `send_attempt`, for whoever has more to ask for.

    Raises:
        StripeUnavailable: the outcome is not known, and is asked for again later.
    """
    step = _prepare(attempt_id=attempt_id)
    if step is None:
        return
    try:
        answer = _ask(step, gateway=gateway)
    except BeyondLimit as beyond:
        never_fits = beyond.total_minor > step.consent.ceiling_minor
        _record_end(
            step=step,
            reason="With tax it is more than the limit of the month.",
            cause=TopUpCause.LIMIT_TOO_LOW if never_fits else None,
            until=next_month_start(timezone.now()),
        )
    except CollectsDebt:
        _record_end(step=step, reason=_COLLECTS_DEBT, cause=TopUpCause.REFUSED)
    except EndedBefore:
        _record_end(step=step, reason=_ENDED_BEFORE)
    except Withdrawn as withdrawn:
        _record_withdrawal(step=step, judgement=withdrawn.judgement)
    except StripeUnavailable as error:
        log.warning("top_up_outcome_unknown", payment=step.attempt.public_id, error=str(error))
        raise
    except StripeRefused as refusal:
        _record_refusal(step=step, refusal=refusal)
    else:
        _record(step=step, answer=answer)


def _ask(step: _Step, *, gateway: StripeGateway) -> Answer | None:
    attempt, consent = step.attempt, step.consent
    if step.charges:
        return ask_stripe(
            attempt=attempt, consent=consent, judge_again=lambda: _judge_again(step=step), gateway=gateway
        )
    return look_up(attempt=attempt, consent=consent, ends=step.is_over_if_missing, gateway=gateway)


def _prepare(*, attempt_id: int) -> _Step | None:
    """Claim an attempt that is due and judge it anew; None where nothing is to be asked."""
    with transaction.atomic(durable=True):
        customer_id = Payment.objects.values_list("customer_id", flat=True).get(pk=attempt_id)
        lock_accounts(customer_ids=[customer_id])
        now = timezone.now()
        attempt = Payment.objects.select_for_update(of=("self",)).select_related("consent").get(pk=attempt_id)
        if attempt.next_try_at is None or attempt.next_try_at > now:
            return None
        if is_over(attempt):
            _leave(attempt)
            return None
        consent = attempt.consent
        if consent is None:
            raise RuntimeError(f"The top-up {attempt.public_id} has no consent.")
        judgement = _judge(attempt=attempt, consent=consent, now=now)
        if judgement.verdict is not Verdict.CHARGE and attempt.sent_at is None:
            _withdraw(attempt, judgement=judgement, now=now)
            return None
        return _claim(attempt, consent=consent, judgement=judgement, now=now)


def _judge(*, attempt: Payment, consent: TopUpConsent, now: datetime) -> Judgement:
    top_up = AutoTopUp.objects.select_related("consent__pack", "customer__user").get(pk=attempt.customer_id)
    if top_up.consent_id != consent.pk:
        return Judgement(verdict=Verdict.FORGET)
    return judge_now(top_up=top_up, consent=consent, now=now, but=attempt)


def _judge_again(*, step: _Step) -> Judgement:
    """The judgement as things are now, of an attempt that is under way."""
    with transaction.atomic(durable=True):
        lock_accounts(customer_ids=[step.attempt.customer_id])
        attempt = Payment.objects.get(pk=step.attempt.pk)
        if is_over(attempt):
            return Judgement(verdict=Verdict.FORGET)
        return _judge(attempt=attempt, consent=step.consent, now=timezone.now())


def _claim(attempt: Payment, *, consent: TopUpConsent, judgement: Judgement, now: datetime) -> _Step:
    """Note the call before it is made: whatever happens then, its outcome is asked for."""
    is_forgotten = attempt.sent_at is not None and now >= attempt.sent_at + KEY_LIFETIME
    # An intent that Stripe has named is there, and the same key would only repeat what was true of it then. An
    # invoice names its intent before anything is taken.
    is_made = bool(attempt.payment_intent_id) and not consent.is_taxed
    asked_at, charges = attempt.asked_at, judgement.verdict is Verdict.CHARGE and not is_forgotten and not is_made
    attempt.next_try_at = now + _WAITS[min(attempt.tries, len(_WAITS) - 1)]
    attempt.tries += 1
    if charges:
        attempt.sent_at, attempt.asked_at = attempt.sent_at or now, now
    attempt.save(update_fields=["next_try_at", "tries", "sent_at", "asked_at"])
    is_over_if_missing = asked_at is not None and now >= asked_at + _SURELY_OVER
    return _Step(
        attempt=attempt,
        consent=consent,
        charges=charges,
        is_over_if_missing=is_over_if_missing,
    )


def is_over(attempt: Payment) -> bool:
    """Whether the outcome of an attempt is known."""
    return any((attempt.paid_at, attempt.failed_at, attempt.refused_at))


def _record_withdrawal(*, step: _Step, judgement: Judgement) -> None:
    with transaction.atomic(durable=True):
        lock_accounts(customer_ids=[step.attempt.customer_id])
        attempt = Payment.objects.select_for_update(of=("self",)).get(pk=step.attempt.pk)
        if not is_over(attempt):
            _withdraw(attempt, judgement=judgement, now=timezone.now())


def _withdraw(attempt: Payment, *, judgement: Judgement, now: datetime) -> None:
    """End an attempt that can take nothing; what spending asked for stays asked for, unless it is not wanted."""
    _end(attempt, reason="Withdrawn before it was paid. Nothing was charged.", at=now)
    top_up = AutoTopUp.objects.select_related("consent__pack", "customer__user").get(pk=attempt.customer_id)
    if top_up.consent_id == attempt.consent_id:
        follow_judgement(top_up=top_up, judgement=judgement)
    log.info("top_up_withdrawn", payment=attempt.public_id, obstacle=judgement.obstacle)


def _end(attempt: Payment, *, reason: str, at: datetime) -> None:
    attempt.refused_at, attempt.refusal, attempt.next_try_at = at, reason[:500], None
    attempt.save(update_fields=["refused_at", "refusal", "next_try_at"])


def _leave(attempt: Payment) -> None:
    attempt.next_try_at = None
    attempt.save(update_fields=["next_try_at"])


def _record(*, step: _Step, answer: Answer | None) -> None:
    if answer is not None:
        record_answer(attempt=step.attempt, answer=answer)
    elif step.is_over_if_missing:
        _record_end(step=step, reason=_NEVER_CHARGED)


def _record_end(
    *,
    step: _Step,
    reason: str,
    cause: TopUpCause | None = None,
    forgets_card: bool = False,
    until: datetime | None = None,
) -> None:
    """End an attempt for good, and let what spending asked for be decided anew, or stop it all for a cause."""
    with transaction.atomic(durable=True):
        customer_id = step.attempt.customer_id
        lock_accounts(customer_ids=[customer_id])
        attempt = Payment.objects.select_for_update(of=("self",)).get(pk=step.attempt.pk)
        if is_over(attempt):
            return
        now = timezone.now()
        _end(attempt, reason=reason, at=now)
        is_still_meant = AutoTopUp.objects.filter(pk=customer_id, consent=step.consent).exists()
        if cause is not None and is_still_meant:
            stop_top_up(customer_id=customer_id, cause=cause, detail=reason, forgets_card=forgets_card)
        elif is_still_meant:
            balances.put_off_top_up(customer_id=customer_id, until=until or now)
    log.error("top_up_not_made", payment=step.attempt.public_id, reason=reason)


def _record_refusal(*, step: _Step, refusal: StripeRefused) -> None:
    """Stripe will not make this payment, now or later. Looking up refuses nothing: it is asked for again."""
    if not step.charges:
        log.error("top_up_not_found_out", payment=step.attempt.public_id, reason=str(refusal))
        return
    missing = missing_param(refusal) if isinstance(refusal, StripeObjectMissing) else ""
    cause = {"customer": TopUpCause.CUSTOMER_GONE, "payment_method": TopUpCause.CARD_REMOVED}.get(missing)
    _record_end(step=step, reason=str(refusal), cause=cause or TopUpCause.REFUSED, forgets_card=cause is not None)
