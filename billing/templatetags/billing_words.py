"""What happened to money and credits, in plain words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django import template
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.kinds import EntryKind
from billing.models import LedgerEntry, Payment, PaymentDispute, PaymentRefund, PaymentState
from billing.money import format_credits, format_money
from billing.selectors.balances import Balance
from billing.selectors.debts import DebtCause, DebtPart, Freeze, FreezeCause, read_debt_parts, read_freezes

register = template.Library()
_PARTS_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A word beside a payment's state, and the badge's class."""

    text: str
    style: str


@register.filter
def explain_entry(entry: LedgerEntry) -> str:
    """Why these credits moved, for the kinds whose name alone does not tell; empty for the others."""
    payment = name_payment(entry.payment) if entry.payment else _("a payment")
    match EntryKind(entry.kind):
        case EntryKind.REFUND:
            return _("Money of %(payment)s went back to you, so its credits were taken back.") % {"payment": payment}
        case EntryKind.REFUND_REVERSAL:
            return _("A refund of %(payment)s did not go through, so its credits are yours again.") % {
                "payment": payment
            }
        case EntryKind.DISPUTE:
            return _("The bank took money of %(payment)s back, so its credits were taken back too.") % {
                "payment": payment
            }
        case EntryKind.DISPUTE_REVERSAL:
            return _("The bank returned the money of %(payment)s, so its credits are yours again.") % {
                "payment": payment
            }
        case EntryKind.WRITE_OFF if entry.amount < 0:
            return _("This debt had been written off. The money behind it came back, so it counts again.")
        case EntryKind.WRITE_OFF:
            return _("Our staff gave up this much of your debt. You need not repay it.")
        case EntryKind.ADJUSTMENT:
            return _("Given by our staff.") if entry.amount > 0 else _("Taken by our staff.")
    return ""


@register.filter
def back_badges(payment: Payment) -> list[Badge]:
    """What to say beside a payment's state about money that went back."""
    badges = []
    if payment.returned_minor:
        is_whole = payment.returned_minor >= (payment.paid_amount_minor or 0)
        badges.append(Badge(text=_("Refunded") if is_whole else _("Partly refunded"), style="note"))
    disputes = list(payment.disputes.all())
    if payment.withdrawn_minor or any(_is_running(dispute) for dispute in disputes):
        badges.append(Badge(text=_("Disputed"), style="warn"))
    return badges


@register.filter
def state_is_told(payment: Payment) -> bool:
    """Whether the state's own word is still worth saying: "Paid" beside "Refunded" would contradict it."""
    is_gone = payment.returned_minor and payment.returned_minor >= (payment.paid_amount_minor or 0)
    return not (payment.state == PaymentState.PAID and is_gone)


@register.filter
def explain_refund(refund: PaymentRefund) -> str:
    """ "$3.00 went back to you on 20 Nov 2026." and what that means while it is pending or when it failed."""
    words = {"amount": _money(refund.amount_minor, refund.currency), "day": _day(refund.refunded_at)}
    if refund.is_dead:
        died = _day(refund.dead_at) if refund.dead_at else words["day"]
        return _("A refund of %(amount)s from %(day)s did not go through on %(died)s; its credits are yours again.") % {
            **words,
            "died": died,
        }
    if refund.status == "pending":
        return _("A refund of %(amount)s was started on %(day)s; your bank takes some days.") % words
    if refund.status == "requires_action":
        return _("A refund of %(amount)s from %(day)s waits for you: see the mail about it.") % words
    return _("%(amount)s was refunded on %(day)s; it can take some days until you see it.") % words


@register.filter
def explain_credit_notes(payment: Payment) -> list[str]:
    """A sentence for each credit note that gave money back by itself: "$9.50 went onto your account ..."."""
    invoice = getattr(payment, "invoice_mirror", None)
    notes = [note for note in invoice.credit_notes.all() if not note.is_void] if invoice else []
    told = []
    for note in notes:
        words = {"number": note, "day": _day(note.issued_at)}
        if note.to_balance_minor:
            amount = {"amount": _money(note.to_balance_minor, note.currency)}
            text = _(
                "%(amount)s went onto your account on %(day)s (credit note %(number)s), to pay for your next invoices."
            )
            told.append(text % {**words, **amount})
        if note.elsewhere_minor:
            amount = {"amount": _money(note.elsewhere_minor, note.currency)}
            text = _("%(amount)s went back to you on %(day)s, outside of your card (credit note %(number)s).")
            told.append(text % {**words, **amount})
    return told


@register.filter
def explain_dispute(dispute: PaymentDispute) -> str:
    """Where a dispute stands. Whoever asked, nobody is blamed: often it is the bank itself."""
    words = {"amount": _money(dispute.amount_minor, dispute.currency), "day": _day(dispute.opened_at)}
    match dispute.status:
        case "warning_closed":
            return _("The bank asked about this payment on %(day)s. The question is settled.") % words
        case "won" | "prevented":
            return _("The bank asked for %(amount)s back on %(day)s, and left the payment as it was.") % words
        case "lost":
            return _("The bank asked for %(amount)s back on %(day)s, and returned it to the card holder.") % words
        case status if status.startswith("warning_"):
            return _("The bank asked about this payment on %(day)s. No money has moved.") % words
    if dispute.payment.withdrawn_minor:
        return (
            _("The bank asked for %(amount)s back on %(day)s, and keeps it until it decides, often for weeks.") % words
        )
    return _("The bank asked for %(amount)s back on %(day)s. It decides, which can take some weeks.") % words


@register.filter
def debt_sentences(balance: Balance) -> list[str]:
    """Why the customer owes credits, a sentence for each cause; nothing where there is no debt."""
    return explain_debt(read_debt_parts(customer_id=balance.customer_id)) if balance.debt else []


@register.filter
def freeze_sentences(balance: Balance) -> list[str]:
    """Why spending is on hold, each reason once; nothing where it is not."""
    freezes = read_freezes(customer_id=balance.customer_id) if balance.is_frozen else []
    return list(dict.fromkeys(_explain_freeze(freeze) for freeze in freezes))


def explain_debt(parts: Sequence[DebtPart]) -> list[str]:
    """A sentence for each of the largest parts of a debt, and one for the rest."""
    sentences = [_explain_part(part) for part in parts[:_PARTS_TOLD]]
    if rest := _sum(parts[_PARTS_TOLD:]):
        sentences.append(_("%(credits)s more credits, for other reasons.") % {"credits": rest})
    return sentences


def name_payment(payment: Payment) -> str:
    """ "your payment of $10.00 on 20 Nov 2026 (1,000 credits)"."""
    paid = payment.paid_amount_minor if payment.paid_amount_minor is not None else payment.amount_minor
    return _("your payment of %(amount)s on %(day)s (%(what)s)") % {
        "amount": _money(paid, payment.paid_currency or payment.currency),
        "day": _day(payment.paid_at or payment.created_at),
        "what": payment.description,
    }


def _explain_part(part: DebtPart) -> str:
    words = {"credits": format_credits(part.credits), "payment": name_payment(part.payment) if part.payment else ""}
    if part.payment is not None:
        words["refunded"] = _money(part.payment.returned_minor, part.payment.paid_currency)
    match part.cause:
        case DebtCause.REFUND if part.payment is not None:
            return (
                _("%(credits)s credits, because %(refunded)s of %(payment)s was refunded after they were spent.")
                % words
            )
        case DebtCause.DISPUTE if part.payment is not None:
            return _("%(credits)s credits, because the bank took back %(payment)s after they were spent.") % words
        case DebtCause.WORK:
            return _("%(credits)s credits for work that was finished after your balance had ended.") % words
    return _("%(credits)s credits that were taken back or corrected.") % words


def _explain_freeze(freeze: Freeze) -> str:
    payment = name_payment(freeze.payment) if freeze.payment else _("a payment of yours")
    match freeze.cause:
        case FreezeCause.DISPUTE:
            return _("A bank is looking into %(payment)s. The hold ends when it has decided.") % {"payment": payment}
        case FreezeCause.FRAUD_WARNING:
            return _("A card network asked us to take a second look at %(payment)s.") % {"payment": payment}
        case FreezeCause.BOOKS:
            return _("We are checking that your balance adds up.")
    return _("Our staff are looking at your account.")


def _is_running(dispute: PaymentDispute) -> bool:
    """Whether a real dispute, no mere inquiry, is still to be decided."""
    return dispute.closed_at is None and not dispute.status.startswith("warning_")


def _sum(parts: Iterable[DebtPart]) -> str:
    total = sum(part.credits for part in parts)
    return format_credits(total) if total else ""


def _money(amount_minor: int, currency: str) -> str:
    return format_money(amount_minor=amount_minor, currency=currency or "usd")


def _day(at: datetime) -> str:
    return str(date_format(at.astimezone(UTC), "j M Y"))
