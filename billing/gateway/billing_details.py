"""The calls about whom invoices are made out to: name, e-mail, address and tax numbers of a customer at Stripe."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import stripe

from billing.gateway.faults import stripe_errors_as_ours
from billing.gateway.parsing import _id, _mapping, _text

_WITH_TAX = ["tax_ids", "tax"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address; what is empty is not known."""

    country: str = ""  # ISO 3166, two letters
    line1: str = ""
    line2: str = ""
    postal_code: str = ""
    city: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxIdFacts:
    """A tax number that invoices show."""

    id: str
    type: str  # eu_vat, gb_vat …
    value: str
    status: str  # verified, unverified, pending, unavailable; empty where Stripe does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingDetailsFacts:
    """Whom invoices are made out to, and what they are paid with unless they say otherwise."""

    customer_id: str
    is_deleted: bool
    name: str
    email: str
    address: Address
    tax_ids: tuple[TaxIdFacts, ...]
    tax_exempt: str  # none, exempt, reverse
    tax_location: str  # supported, not_collecting, unrecognized_location, failed: whether Stripe Tax knows the place
    default_payment_method_id: str
    balance_minor: int  # negative is credit that the next invoices use up
    currency: str


class BillingDetailsCalls:
    """Part of `StripeGateway`; what it says of errors and idempotency keys holds here."""

    _client: stripe.StripeClient

    def retrieve_billing_details(self, *, customer_id: str) -> BillingDetailsFacts:
        """Whom a customer's invoices are made out to now; of a deleted customer everything but the id is empty."""
        with stripe_errors_as_ours():
            found = self._client.v1.customers.retrieve(customer_id, {"expand": _WITH_TAX})
        return parse_billing_details(found.to_dict())

    def update_billing_details(
        self, *, customer_id: str, name: str, email: str, address: Address, idempotency_key: str
    ) -> BillingDetailsFacts:
        """Make out all invoices from now on so; what is given empty is unset.

        Raises:
            StripeRefused: Stripe takes no such address, with the code `customer_tax_location_invalid`, or e-mail.
        """
        fields = {part: getattr(address, part) for part in Address.__dataclass_fields__}
        params: dict[str, Any] = {
            "name": name,
            "email": email,
            "address": fields if any(fields.values()) else "",
            "expand": _WITH_TAX,
        }
        with stripe_errors_as_ours():
            updated = self._client.v1.customers.update(customer_id, params, {"idempotency_key": idempotency_key})  # type: ignore[arg-type]
        return parse_billing_details(updated.to_dict())

    def add_tax_id(self, *, customer_id: str, type: str, value: str, idempotency_key: str) -> TaxIdFacts:
        """One more tax number of a customer.

        Raises:
            StripeRefused: it does not look like one of its type; the code is `tax_id_invalid`.
        """
        params: Any = {"type": type, "value": value}
        with stripe_errors_as_ours():
            made = self._client.v1.customers.tax_ids.create(customer_id, params, {"idempotency_key": idempotency_key})
        return parse_tax_id(made.to_dict())

    def remove_tax_id(self, *, customer_id: str, tax_id: str) -> None:
        """A tax number is on no invoice from now on."""
        with stripe_errors_as_ours():
            self._client.v1.customers.tax_ids.delete(customer_id, tax_id)

    def set_default_card(
        self, *, customer_id: str, payment_method_id: str, idempotency_key: str
    ) -> BillingDetailsFacts:
        """Pay the invoices of a customer with this saved card from now on, unless they say otherwise."""
        params: Any = {"invoice_settings": {"default_payment_method": payment_method_id}, "expand": _WITH_TAX}
        with stripe_errors_as_ours():
            updated = self._client.v1.customers.update(customer_id, params, {"idempotency_key": idempotency_key})
        return parse_billing_details(updated.to_dict())


def parse_billing_details(customer: Mapping[str, Any]) -> BillingDetailsFacts:
    """Whom a customer's invoices are made out to."""
    listed, balance = _mapping(customer.get("tax_ids")).get("data"), customer.get("balance")
    settings = _mapping(customer.get("invoice_settings"))
    return BillingDetailsFacts(
        customer_id=_id(customer.get("id")),
        is_deleted=customer.get("deleted") is True,
        name=_text(customer.get("name"))[:200],
        email=_text(customer.get("email"))[:320],
        address=parse_address(_mapping(customer.get("address"))),
        tax_ids=tuple(parse_tax_id(one) for one in listed if isinstance(one, Mapping))
        if isinstance(listed, list)
        else (),
        tax_exempt=_text(customer.get("tax_exempt"))[:20],
        tax_location=_text(_mapping(customer.get("tax")).get("automatic_tax"))[:40],
        default_payment_method_id=_id(settings.get("default_payment_method")),
        balance_minor=balance if isinstance(balance, int) and not isinstance(balance, bool) else 0,
        currency=_text(customer.get("currency")).lower()[:3],
    )


def parse_address(address: Mapping[str, Any]) -> Address:
    """An address."""
    return Address(**{part: _text(address.get(part))[:300] for part in Address.__dataclass_fields__})


def parse_tax_id(tax_id: Mapping[str, Any]) -> TaxIdFacts:
    """A tax number."""
    return TaxIdFacts(
        id=_id(tax_id.get("id")),
        type=_text(tax_id.get("type"))[:30],
        value=_text(tax_id.get("value"))[:100],
        status=_text(_mapping(tax_id.get("verification")).get("status"))[:30],
    )
