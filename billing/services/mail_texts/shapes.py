"""The words of a mail, and a notice's payload as people read it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.models.ledger_entry import KIND_CHOICES
from billing.money import format_credits, format_money

BUY, OVERVIEW, LEDGER = "/billing/buy/", "/billing/", "/billing/ledger/"
PAYMENTS, SETTINGS, API_KEYS = "/billing/payments/", "/billing/settings/", "/accounts/api-keys/"
TOP_UP, WEBHOOKS = "/billing/top-up/", "/billing/webhooks/"
PLANS, INVOICES = "/billing/plans/", "/billing/invoices/"
_KIND_LABELS = dict(KIND_CHOICES)


@dataclass(frozen=True, slots=True)
class Link:
    """Where to go next: a page of ours from `/`, or an address elsewhere."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a mail says. `facts` are rows of a label and a value; `action` is the next step."""

    subject: str
    paragraphs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    action: Link
    more: Link | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A notice's payload and time, read as docs/notices.md describes them."""

    payload: Mapping[str, Any]
    occurred_at: datetime
    receipt_url: str = ""
    may_buy: bool = True  # whether anything is sold to the customer now

    def text(self, name: str) -> str:
        return str(self.payload.get(name) or "")

    def number(self, name: str) -> Decimal:
        return Decimal(str(self.payload[name]))

    def credits(self, name: str = "amount") -> str:
        return format_credits(self.number(name))

    def short_credits(self, name: str) -> str:
        """Two places, the rest cut off: "<0.01" for what is not nothing."""
        amount = self.number(name)
        shown = amount.quantize(Decimal("0.01"), rounding=ROUND_DOWN)
        return "<0.01" if not shown and amount > 0 else format_credits(shown)

    def money(self, name: str = "amount_minor") -> str:
        return format_money(amount_minor=int(self.payload[name]), currency=self.text("currency"))

    def day(self, name: str) -> str:
        return show_day(datetime.fromisoformat(self.payload[name]))

    def moment(self, name: str) -> str:
        return show_moment(datetime.fromisoformat(self.payload[name]))

    def plan(self) -> str:
        """The plan's name; one that we do not know by name is theirs all the same."""
        return self.text("plan") or _("(no name)")

    def kind(self) -> str:
        return str(_KIND_LABELS.get(self.text("kind"), self.text("kind")))

    def shop(self) -> Link:
        """On to buying, or where that cannot be, to the balance."""
        return Link(_("Buy credits"), BUY) if self.may_buy else Link(_("See your balance"), OVERVIEW)

    def when(self) -> tuple[str, str]:
        return _("Date"), show_moment(self.occurred_at)

    def reference(self, name: str = "payment") -> tuple[str, str]:
        return _("Reference"), self.text(name)

    def reason(self) -> tuple[tuple[str, str], ...]:
        return ((_("Reason"), self.text("reason")),) if self.text("reason") else ()


def show_day(at: datetime) -> str:
    return date_format(at.astimezone(UTC), "j M Y")


def show_moment(at: datetime) -> str:
    return f"{date_format(at.astimezone(UTC), 'j M Y, H:i')} UTC"


Writer = Callable[[Told], Words]
