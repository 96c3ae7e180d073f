"""Amounts, words and times as pages show them."""

from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing import conf
from billing.kinds import EntryKind
from billing.models import PaymentState
from billing.money import format_credits, format_money, list_value_minor

register = template.Library()

# What a person reads for each kind; the ledger's own words are the keys.
KIND_LABELS = {
    EntryKind.PURCHASE: _("Purchase"),
    EntryKind.AUTO_TOP_UP: _("Automatic top-up"),
    EntryKind.PLAN_ALLOWANCE: _("Plan credits"),
    EntryKind.PLAN_REVERSAL: _("Plan credits taken back"),
    EntryKind.FREE_ALLOWANCE: _("Free credits"),
    EntryKind.SIGNUP_BONUS: _("Sign-up bonus"),
    EntryKind.PROMOTION: _("Promotion"),
    EntryKind.VOUCHER: _("Voucher"),
    EntryKind.ADJUSTMENT: _("Adjustment"),
    EntryKind.USAGE: _("Usage"),
    EntryKind.USAGE_CORRECTION: _("Usage corrected"),
    EntryKind.REFUND: _("Refund"),
    EntryKind.REFUND_REVERSAL: _("Refund undone"),
    EntryKind.DISPUTE: _("Dispute"),
    EntryKind.DISPUTE_REVERSAL: _("Dispute returned"),
    EntryKind.EXPIRY: _("Expired"),
    EntryKind.WRITE_OFF: _("Debt written off"),
    EntryKind.CORRECTION: _("Correction"),
}
STATE_BADGES = {
    PaymentState.PENDING: "note",
    PaymentState.PROCESSING: "warn",
    PaymentState.FAILED: "bad",
    PaymentState.EXPIRED: "",
    PaymentState.PAID: "good",
    PaymentState.REVIEW: "warn",
}


@register.filter
def credits(amount: Decimal) -> str:
    """ "1,000.5": exact, with the minus sign that readers say aloud."""
    return format_credits(amount)


@register.filter
def short_credits(amount: Decimal) -> str:
    """Two places, the rest cut off, for where a glance is enough: "1,000.51"; "<0.01" for what is not nothing."""
    shown = amount.quantize(Decimal("0.01"), rounding=ROUND_DOWN)
    if not shown and amount > 0:
        return "<0.01"
    return format_credits(shown)


@register.filter
def signed_credits(amount: Decimal) -> str:
    """ "+500" or "−12.5"."""
    return format_credits(amount, signed=True)


@register.filter
def credits_unit(amount: Decimal) -> str:
    """The unit that goes with the amount: "credit" for exactly one."""
    return ngettext("credit", "credits", 1 if amount == 1 else 2)


@register.simple_tag
def money(amount_minor: int, currency: str) -> str:
    """ "$10.00"."""
    return format_money(amount_minor=amount_minor, currency=currency)


@register.filter
def worth(amount: Decimal) -> str:
    """What so many credits are worth at list price: "$0.50", "less than $0.01" for what is not nothing."""
    minor = list_value_minor(amount, credits_per_usd=conf.credits_per_usd())
    if minor == 0 and amount != 0:
        return _("less than %(cent)s") % {"cent": format_money(amount_minor=1, currency="usd")}
    return format_money(amount_minor=minor, currency="usd")


@register.filter
def kind_label(kind: str) -> str:
    """ "Sign-up bonus" for `signup_bonus`."""
    return str(KIND_LABELS[EntryKind(kind)])


@register.filter
def state_label(state: str) -> str:
    """The state for people: "Under review" for `review`."""
    return str(PaymentState(state).label)


@register.filter
def state_badge(state: str) -> str:
    """The badge's class for a payment's state; the word stands beside it."""
    return STATE_BADGES[PaymentState(state)]


@register.simple_tag
def moment(at: datetime, style: str = "datetime") -> SafeString:
    """A `<time>` in UTC that a script turns into the reader's own zone; `style` is `datetime` or `date`."""
    utc = at.astimezone(UTC)
    text = date_format(utc, "j M Y") if style == "date" else f"{date_format(utc, 'j M Y, H:i')} UTC"
    return format_html('<time datetime="{}" data-local="{}">{}</time>', utc.isoformat(timespec="seconds"), style, text)
