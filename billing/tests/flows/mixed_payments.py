"""Payments of every kind at the sandbox, each with what became of its money, for runs that are compared."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditBalance, CreditPack, LedgerEntry, Payment
from billing.tests.shop import make_customer, open_checkout
from sandbox.stripe.control import Control

Course = Callable[[Control, str], object]


def _card(control: Control, session: str) -> None:
    control.pay_session(session)


def _bank_debit(control: Control, session: str) -> None:
    control.pay_session(session, method="bank_debit")
    control.settle_delayed(session)


def _bank_debit_fails(control: Control, session: str) -> None:
    control.pay_session(session, method="bank_debit")
    control.settle_delayed(session, succeed=False)


def _bank_debit_waits(control: Control, session: str) -> None:
    control.pay_session(session, method="bank_debit")


def _declined(control: Control, session: str) -> None:
    control.pay_session(session, card="4000000000000002")


def _declined_then_paid(control: Control, session: str) -> None:
    _declined(control, session)
    _card(control, session)


def _half(control: Control, session: str) -> None:
    control.pay_session(session, code="HALF50")


def _half_refunded_in_part(control: Control, session: str) -> None:
    _half(control, session)
    control.refund_payment(session, amount=100)


def _free(control: Control, session: str) -> None:
    control.pay_session(session, code="FREE100")


def _refunded(control: Control, session: str) -> None:
    _card(control, session)
    control.refund_payment(session)


def _refunded_in_parts(control: Control, session: str) -> None:
    _card(control, session)
    for amount in (333, 333, 100):
        control.refund_payment(session, amount=amount)


def _refund_pending(control: Control, session: str) -> None:
    _bank_debit(control, session)
    control.refund_payment(session, amount=400)


def _refund_failed(control: Control, session: str) -> None:
    _card(control, session)
    refund = control.refund_payment(session, amount=700)
    control.end_refund(refund["id"], "failed")


def _refund_canceled(control: Control, session: str) -> None:
    _card(control, session)
    refund = control.refund_payment(session, amount=250, status="pending")
    control.end_refund(refund["id"], "canceled")


def _inquiry(control: Control, session: str) -> None:
    _card(control, session)
    control.open_dispute(session, inquiry=True)


def _inquiry_closed(control: Control, session: str) -> None:
    _card(control, session)
    control.close_dispute(control.open_dispute(session, inquiry=True)["id"], "warning_closed")


def _inquiry_escalated(control: Control, session: str) -> None:
    _card(control, session)
    control.escalate_inquiry(control.open_dispute(session, inquiry=True)["id"])


def _disputed(control: Control, session: str) -> None:
    _card(control, session)
    control.open_dispute(session)


def _disputed_in_part(control: Control, session: str) -> None:
    _card(control, session)
    control.open_dispute(session, amount=300)


def _disputed_money_still_here(control: Control, session: str) -> None:
    _card(control, session)
    control.open_dispute(session, withdraws=False)


def _dispute_won(control: Control, session: str) -> None:
    _card(control, session)
    control.close_dispute(control.open_dispute(session)["id"], "won")


def _dispute_lost(control: Control, session: str) -> None:
    _card(control, session)
    control.close_dispute(control.open_dispute(session)["id"], "lost")


def _dispute_back_and_forth(control: Control, session: str) -> None:
    _card(control, session)
    dispute = control.open_dispute(session)["id"]
    control.reinstate_funds(dispute)
    control.withdraw_funds(dispute)


def _refunded_and_disputed(control: Control, session: str) -> None:
    _card(control, session)
    control.refund_payment(session, amount=400)
    control.open_dispute(session, amount=1000)


def _warned(control: Control, session: str) -> None:
    _card(control, session)
    control.warn_of_fraud(session)


def _expired(control: Control, session: str) -> None:
    control.expire_session(session)


def _left_open(control: Control, session: str) -> None:
    pass


COURSES: tuple[Course, ...] = (
    _card,
    _bank_debit,
    _bank_debit_fails,
    _bank_debit_waits,
    _declined,
    _declined_then_paid,
    _half,
    _half_refunded_in_part,
    _free,
    _refunded,
    _refunded_in_parts,
    _refund_pending,
    _refund_failed,
    _refund_canceled,
    _inquiry,
    _inquiry_closed,
    _inquiry_escalated,
    _disputed,
    _disputed_in_part,
    _disputed_money_still_here,
    _dispute_won,
    _dispute_lost,
    _dispute_back_and_forth,
    _refunded_and_disputed,
    _warned,
    _expired,
    _left_open,
)
MISMATCHED = len(COURSES)  # the place after the courses: paid, but not what was offered


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a customer has in the end. Sums, because how many steps led there depends on what came when."""

    posted: Decimal
    entries: Decimal
    remaining: Decimal
    is_frozen: bool
    is_flagged: bool
    paid_minor: int | None
    given_back_minor: int


def make_payment(
    *, number: int, control: Control, pack: CreditPack, gateway: StripeGateway
) -> tuple[BillingCustomer, Payment]:
    """The payment of this number, by a customer of its own, and what became of it at Stripe."""
    customer = make_customer()
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    place = number % (len(COURSES) + 1)
    if place == MISMATCHED:
        Payment.objects.filter(pk=started.payment.pk).update(amount_minor=999)
        control.pay_session(started.session_id)
    else:
        COURSES[place](control, started.session_id)
    return customer, started.payment


def result_of(customer: BillingCustomer, payment: Payment) -> Result:
    """What the customer has now."""
    customer.refresh_from_db()
    payment.refresh_from_db()
    balance = CreditBalance.objects.get(pk=customer.pk)
    entries = LedgerEntry.objects.filter(customer=customer).aggregate(total=Sum("amount"))["total"]
    remaining = customer.balance.customer.grants.aggregate(total=Sum("remaining"))["total"]
    return Result(
        posted=balance.posted,
        entries=entries or Decimal(0),
        remaining=remaining or Decimal(0),
        is_frozen=balance.frozen_at is not None,
        is_flagged=customer.flagged_at is not None,
        paid_minor=payment.paid_amount_minor,
        given_back_minor=payment.given_back_minor,
    )
