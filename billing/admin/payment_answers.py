"""What staff answer to "I paid, where are my credits?", and why attempts to pay failed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from billing.admin.base import show_credits
from billing.admin.panels import when
from billing.models import LedgerEntry, Payment, PaymentKind
from billing.money import ZERO
from billing.selectors.payments import CheckoutState, failed_attempt_messages, payment_status

_ANSWERS: Final = {
    CheckoutState.OPEN: "None: Stripe has told of no payment. Who was charged all the same has it checked with Stripe.",
    CheckoutState.BEING_CREDITED: (
        "None yet: Stripe has told of the payment, and it is being worked off. "
        "After a minute look at the customer's events, and have it checked with Stripe."
    ),
    CheckoutState.PROCESSING: (
        "None yet: the bank has not paid, which can take days. They come by themselves, or the payment fails."
    ),
    CheckoutState.FAILED: "None: nothing was charged.",
    CheckoutState.EXPIRED: "None: the checkout was not finished, and nothing was charged.",
    CheckoutState.REVIEW: "None: what was paid is not what was offered. Grant what was offered, or refund it.",
    CheckoutState.REFUNDED: "None: all of the money went back before they were added.",
    CheckoutState.TRIAL: "None yet: they come with the first payment after the trial.",
    CheckoutState.FREE_PERIOD: "None: a promotion code made the first period free, which brings no credits.",
}

_MAY_HAVE_FAILED: Final = {CheckoutState.OPEN, CheckoutState.FAILED, CheckoutState.EXPIRED}


def tell_credits(payment: Payment) -> str:
    """What became of the credits that a payment is for, in a sentence or two."""
    status = payment_status(payment)
    if status.state != CheckoutState.CREDITED:
        reasons = list(failed_attempt_messages(payment))[-1:] or [payment.refusal]
        return " ".join([_ANSWERS[status.state], *(reasons if status.state in _MAY_HAVE_FAILED else [])]).strip()
    if payment.kind == PaymentKind.PLAN:
        return f"{show_credits(status.granted)} came with the plan's invoice."
    return _tell_moved(list(payment.entries.order_by("pk")))


def tell_attempts(payment: Payment) -> str:
    """A line for each attempt that failed, the oldest first: when, why, and Stripe's code and id."""
    attempts = sorted(payment.failed_attempts.items(), key=lambda attempt: str(attempt[1]["at"]))
    return "\n".join(
        f"{_when_told(str(facts['at']))}: {facts['message']} ({facts['code']}, {charge})" for charge, facts in attempts
    )


def _tell_moved(entries: list[LedgerEntry]) -> str:
    """What was added when, how much of it a debt took at once, and what was taken back since."""
    if not entries:
        return _ANSWERS[CheckoutState.BEING_CREDITED]
    first, amounts = entries[0], [entry.amount for entry in entries]
    repaid = min(first.amount, max(ZERO, first.amount - first.balance_after))
    taken = -sum((amount for amount in amounts if amount < 0), ZERO)
    sentences = [f"{show_credits(first.amount)} were added on {when(first.created_at)}."]
    if repaid > 0:
        sentences.append(f"{show_credits(repaid)} of them repaid a debt.")
    if taken:
        sentences.append(f"{show_credits(taken)} were taken back, because money went back.")
    if returned := sum((amount for amount in amounts[1:] if amount > 0), ZERO):
        sentences.append(f"{show_credits(returned)} were added again.")
    return " ".join(sentences)


def _when_told(moment: str) -> str:
    return when(datetime.fromisoformat(moment))
