"""A stand-in for Stripe Tax: a flat rate in a few countries, and none to businesses that give their number.

The seller sits in the United States. Real rates change; these only have to be told apart by tests.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource
from sandbox.stripe.store import Condition

PERCENT = {"AT": 20, "DE": 19, "FR": 20, "GB": 20, "SE": 25}
COUNTRIES = {
    "AT": "Austria",
    "AU": "Australia",
    "BE": "Belgium",
    "BR": "Brazil",
    "CA": "Canada",
    "CH": "Switzerland",
    "DE": "Germany",
    "DK": "Denmark",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "GB": "United Kingdom",
    "IE": "Ireland",
    "IN": "India",
    "IT": "Italy",
    "JP": "Japan",
    "NL": "Netherlands",
    "NO": "Norway",
    "PL": "Poland",
    "PT": "Portugal",
    "SE": "Sweden",
    "US": "United States",
}
_EUROPEAN_UNION = frozenset("AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE".split())
_PATTERNS = {
    "gb_vat": r"GB(\d{9}|\d{12})",
    "ch_vat": r"CHE-?\d{3}\.?\d{3}\.?\d{3}( (MWST|TVA|IVA))?",
    "no_vat": r"\d{9}MVA",
    "us_ein": r"\d{2}-\d{7}",
    "au_abn": r"\d{11}",
}
_KINDS = {kind[:2].upper(): kind for kind in _PATTERNS}
_REASONS = {"exempt": "customer_exempt", "reverse": "reverse_charge"}


@dataclass(frozen=True)
class Taxpayer:
    """Who buys, as far as tax asks; without a country nothing can be said."""

    country: str | None = None
    has_tax_id: bool = False
    exempt: str = "none"  # or exempt, or reverse


@dataclass(frozen=True)
class Tax:
    """The tax on one amount; ``included`` in it, or on top of it."""

    amount: int
    taxable_amount: int
    reason: str
    country: str
    percent: int
    is_included: bool

    @property
    def added(self) -> int:
        """What it adds to the amount."""
        return 0 if self.is_included else self.amount


def tax_on(amount: int, *, taxpayer: Taxpayer, behavior: str = "unspecified") -> Tax:
    """The tax on an amount, rounded half up to the minor unit; ``behavior`` is that of its price."""
    country, is_included = taxpayer.country or "", behavior == "inclusive"
    percent, reason = PERCENT.get(country, 0), "standard_rated"
    if taxpayer.exempt in _REASONS:
        percent, reason = 0, _REASONS[taxpayer.exempt]
    elif country not in PERCENT:
        reason = "not_collecting"
    elif taxpayer.has_tax_id:
        percent, reason = 0, "reverse_charge"
    base = 100 + percent if is_included else 100
    tax = (abs(amount) * percent * 2 + base) // (2 * base)
    tax = -tax if amount < 0 else tax
    return Tax(tax, amount - tax if is_included else amount, reason, country, percent, is_included)


def taxpayer_of(sandbox: Sandbox, customer: Resource) -> Taxpayer:
    """A customer as a taxpayer."""
    address = customer.get("address") or {}
    has_tax_id = bool(sandbox.store.find("tax_id", [Condition("customer", "=", customer["id"])], limit=1))
    return Taxpayer(address.get("country"), has_tax_id, customer.get("tax_exempt") or "none")


def tax_status(taxpayer: Taxpayer) -> str:
    """What ``automatic_tax.status`` says."""
    return "complete" if taxpayer.country else "requires_location_inputs"


def on_item(sandbox: Sandbox, tax: Tax) -> Resource:
    """A tax as the lines of a session show it."""
    return {
        "amount": tax.amount,
        "rate": find_tax_rate(sandbox, tax),
        "taxability_reason": tax.reason,
        "taxable_amount": tax.taxable_amount,
    }


def on_invoice(item_tax: Resource) -> Resource:
    """The same as the lines and the totals of an invoice show it."""
    return {
        "amount": item_tax["amount"],
        "tax_behavior": "inclusive" if item_tax["rate"]["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": item_tax["rate"]["id"]},
        "taxability_reason": item_tax["taxability_reason"],
        "taxable_amount": item_tax["taxable_amount"],
        "type": "tax_rate_details",
    }


def sum_on_invoice(taxes: Sequence[Resource]) -> list[Resource]:
    """The taxes of all lines, added up by rate."""
    sums: dict[tuple[str, str, str], Resource] = {}
    for tax in taxes:
        key = (tax["tax_rate_details"]["tax_rate"], tax["tax_behavior"], tax["taxability_reason"])
        if key in sums:
            sums[key]["amount"] += tax["amount"]
            sums[key]["taxable_amount"] += tax["taxable_amount"]
        else:
            sums[key] = dict(tax)
    return list(sums.values())


def find_tax_rate(sandbox: Sandbox, tax: Tax) -> Resource:
    """The rate that a tax was computed by."""
    rate_id = f"txr_sandbox{tax.country or 'None'}{tax.percent}{'in' if tax.is_included else 'ex'}"
    existing = sandbox.store.get(rate_id)
    return existing or _new_tax_rate(sandbox, tax, rate_id)


def _new_tax_rate(sandbox: Sandbox, tax: Tax, rate_id: str) -> Resource:
    rate: Resource = {
        "id": rate_id,
        "object": "tax_rate",
        "active": False,
        "country": tax.country or None,
        "created": sandbox.now(),
        "description": None,
        "display_name": "VAT" if tax.country in PERCENT else "Sales tax",
        "effective_percentage": float(tax.percent),
        "flat_amount": None,
        "inclusive": tax.is_included,
        "jurisdiction": COUNTRIES.get(tax.country),
        "jurisdiction_level": "country",
        "livemode": False,
        "metadata": {},
        "percentage": float(tax.percent),
        "rate_type": "percentage",
        "state": None,
        "tax_type": "vat" if tax.country in PERCENT else None,
    }
    sandbox.store.put(rate)
    return rate


def kind_of_tax_id(country: str) -> str | None:
    """The type of the number that businesses of a country have, or None where none is known here."""
    return "eu_vat" if country in _EUROPEAN_UNION else _KINDS.get(country)


def is_tax_id(kind: str, value: str) -> bool:
    """Whether a number looks like one of its type; those of types that are not known here do."""
    if kind == "eu_vat":
        prefix = value[:2].replace("EL", "GR")
        return bool(re.fullmatch(r"[A-Z]{2}[0-9A-Z+*]{2,12}", value)) and prefix in _EUROPEAN_UNION
    return kind not in _PATTERNS or bool(re.fullmatch(_PATTERNS[kind], value))
