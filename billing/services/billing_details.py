"""Whom a customer's invoices are made out to. Stripe keeps it; we keep only that there is something."""

from dataclasses import dataclass
from typing import Final

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.countries import COUNTRIES
from billing.errors import InvalidRequest, StripeObjectMissing, StripeRefused, StripeUnavailable
from billing.gateway.billing_details import Address, BillingDetailsFacts
from billing.gateway.client import StripeGateway
from billing.gateway.faults import refused_param
from billing.models import BillingCustomer
from billing.services.stripe_customers import ensure_stripe_customer, replace_stripe_customer
from billing.tax_numbers import TaxNumberKind, tax_number_kind, tidy_tax_number

log = structlog.get_logger(__name__)
_FIELDS: Final = {"name", "email", "country", "line1", "line2", "postal_code", "city", "state"}
_CODES: Final = {"customer_tax_location_invalid": "country", "email_invalid": "email", "tax_id_invalid": "tax_number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingDetails:
    """Whom invoices are to be made out to. `shown_tax_id` is Stripe's id of the number that this one replaces."""

    name: str
    email: str
    address: Address
    tax_number: str = ""
    shown_tax_id: str = ""


def read_billing_details(*, customer: BillingCustomer, gateway: StripeGateway) -> BillingDetailsFacts | None:
    """What Stripe has on file now; None where there is nothing yet. Remembers that there is an address.

    Raises:
        StripeUnavailable: Stripe does not answer; a page says so and goes on without.
    """
    if not customer.stripe_customer_id:
        return None
    try:
        details = gateway.retrieve_billing_details(customer_id=customer.stripe_customer_id)
    except StripeObjectMissing:
        return None
    except StripeRefused as error:
        log.warning("billing_details_unreadable", customer=customer.public_id, reason=str(error))
        raise StripeUnavailable("Stripe does not tell whom invoices are made out to.") from error
    if details.is_deleted:
        return None
    if details.address.country and customer.details_saved_at is None:  # by a checkout, or in the portal
        _remember(customer=customer, stripe_customer_id=customer.stripe_customer_id)
    return details


def save_billing_details(*, customer: BillingCustomer, details: BillingDetails, gateway: StripeGateway) -> None:
    """Make out invoices from now on so. Saving the same once more, after whatever outcome, ends in the same state.

    Raises:
        InvalidRequest: a field cannot be used; `field` names it as `BillingDetails` and `Address` do. Where it is the
            tax number, the rest is saved if Stripe was the one to refuse it.
        StripeUnavailable: Stripe does not answer; it may have been saved or not.
        StripeRefused: Stripe takes none of it, for a reason that is in no field.
    """
    kind = _judge(details)
    name = _name_attempt(customer)
    stripe_customer_id = ensure_stripe_customer(customer=customer, gateway=gateway)
    try:
        saved = _update(gateway, customer_id=stripe_customer_id, details=details, key=name)
    except StripeObjectMissing:
        missing_id = stripe_customer_id
        stripe_customer_id = replace_stripe_customer(customer=customer, missing_id=missing_id, gateway=gateway)
        saved = _update(gateway, customer_id=stripe_customer_id, details=details, key=name)
    _remember(customer=customer, stripe_customer_id=stripe_customer_id)
    _set_tax_number(gateway, saved=saved, details=details, kind=kind, key=name)


def _judge(details: BillingDetails) -> TaxNumberKind | None:
    """What can be said without Stripe; gives the kind of the tax number, if there is one."""
    country = details.address.country
    if country not in COUNTRIES:
        raise InvalidRequest(field="country", fault="it is not known", remedy=_("Choose your country."))
    if not details.tax_number:
        return None
    kind = tax_number_kind(country=country, value=_tidy(details))
    if kind is None:
        remedy = _("We cannot take numbers of %(country)s here. Leave it empty, and add it on Stripe's page.")
        raise InvalidRequest(
            field="tax_number", fault="its country has none", remedy=remedy % {"country": COUNTRIES[country]}
        )
    return kind


def _name_attempt(customer: BillingCustomer) -> str:
    """A name for this attempt, told by the row: a key that came before would give Stripe's old answer again."""
    with transaction.atomic(durable=True):
        BillingCustomer.objects.filter(pk=customer.pk).update(details_attempts=F("details_attempts") + 1)
        number = BillingCustomer.objects.values_list("details_attempts", flat=True).get(pk=customer.pk)
    return f"details-{customer.public_id}-{number}"


def _update(gateway: StripeGateway, *, customer_id: str, details: BillingDetails, key: str) -> BillingDetailsFacts:
    try:
        return gateway.update_billing_details(
            customer_id=customer_id,
            name=details.name,
            email=details.email,
            address=details.address,
            idempotency_key=f"{key}-{customer_id}",
        )
    except StripeObjectMissing:
        raise
    except StripeRefused as refusal:
        raise _at_its_field(refusal) from refusal


def _set_tax_number(
    gateway: StripeGateway,
    *,
    saved: BillingDetailsFacts,
    details: BillingDetails,
    kind: TaxNumberKind | None,
    key: str,
) -> None:
    """The new number comes before the old one goes, so that no invoice between them lacks one."""
    customer_id, found, value = saved.customer_id, saved.tax_ids, _tidy(details)
    wanted = [one for one in found if kind and (one.type, one.value) == (kind.type, value)]
    if kind and not wanted:
        try:
            gateway.add_tax_id(customer_id=customer_id, type=kind.type, value=value, idempotency_key=f"{key}-tax")
        except StripeRefused as refusal:
            if refusal.stripe_code != "tax_id_invalid":
                raise _at_its_field(refusal) from refusal
            remedy = _("This is no such number of %(country)s. They look like %(example)s. The rest is saved.")
            names = {"country": COUNTRIES[details.address.country], "example": kind.example}
            raise InvalidRequest(field="tax_number", fault="Stripe refuses it", remedy=remedy % names) from refusal
        # What another tab has added meanwhile is seen now, and both keep the same one.
        found = gateway.retrieve_billing_details(customer_id=customer_id).tax_ids
        wanted = [one for one in found if (one.type, one.value) == (kind.type, value)]
    kept = wanted[-1].id if wanted else ""
    for one in found:
        if one.id != kept and (one.id == details.shown_tax_id or one in wanted):
            _remove(gateway, customer_id=customer_id, tax_id=one.id)


def _remove(gateway: StripeGateway, *, customer_id: str, tax_id: str) -> None:
    try:
        gateway.remove_tax_id(customer_id=customer_id, tax_id=tax_id)
    except StripeObjectMissing:
        log.info("tax_id_gone_already", stripe_customer=customer_id)


def _at_its_field(refusal: StripeRefused) -> Exception:
    """Stripe's words at the field that they are about, where there is one."""
    param = refused_param(refusal).removeprefix("address[").removesuffix("]")
    field = _CODES.get(refusal.stripe_code or "", param)
    if field in _FIELDS or field == "tax_number":
        return InvalidRequest(field=field, fault="Stripe refuses it", remedy=str(refusal))
    return refusal


def _tidy(details: BillingDetails) -> str:
    return tidy_tax_number(country=details.address.country, value=details.tax_number)


def _remember(*, customer: BillingCustomer, stripe_customer_id: str) -> None:
    """Only of the customer at Stripe that it was said of: another one has nothing on file."""
    now = timezone.now()
    rows = BillingCustomer.objects.filter(pk=customer.pk, stripe_customer_id=stripe_customer_id)
    if rows.update(details_saved_at=now):
        customer.details_saved_at = now
