"""For whom a request acts, and in whose name."""

from __future__ import annotations

from typing import Final

from rest_framework.request import Request

from accounts.models import ApiKey, Scope, User
from billing.errors import CustomerNotFound, ScopeMissing
from billing.models import BillingCustomer
from billing.services.customers import ensure_customer
from billing.services.key_limits import placed_by_key

HEADER: Final = "Billing-Customer"


def caller_key(request: Request) -> ApiKey | None:
    """The API key of the request; None for a browser's session."""
    return request.auth if isinstance(request.auth, ApiKey) else None


def caller_user(request: Request) -> User:
    """The user behind the request; the permissions of the view have let nobody else come this far."""
    if not isinstance(request.user, User):
        raise TypeError("The permissions of this view let somebody in who is not a user.")
    return request.user


def caller_customer(request: Request) -> BillingCustomer:
    """The customer that the request is about: the one named in `Billing-Customer`, else the caller's own.

    Raises:
        ScopeMissing: the header was sent, and the caller may not act for others.
        CustomerNotFound: there is no such customer.
    """
    name = request.headers.get(HEADER)
    if name is None:  # an empty one names nobody: it must not act for the caller instead
        user = caller_user(request)
        try:
            return user.billing_customer
        except BillingCustomer.DoesNotExist:
            return ensure_customer(user=user)
    key = caller_key(request)
    if key is None or not key.has_scope(Scope.CUSTOMERS):
        raise ScopeMissing(scope=Scope.CUSTOMERS)
    return find_named_customer(name=name)


def find_named_customer(*, name: str) -> BillingCustomer:
    """The customer of our id (`cust_…`), or of the id that the product gave it.

    Raises:
        CustomerNotFound: there is none.
    """
    candidates = BillingCustomer.objects.filter(public_id=name)
    if "\0" in name:
        raise CustomerNotFound(customer=name.replace("\0", "?"))
    found = candidates.first() or BillingCustomer.objects.filter(external_id=name).first()
    if found is None:
        raise CustomerNotFound(customer=name)
    return found


def placed_by(request: Request) -> str:
    """Who owns the holds of this request: its API key, or the user of the session."""
    key = caller_key(request)
    return placed_by_key(key) if key else f"user:{caller_user(request).pk}"


def customer_scope(customer: BillingCustomer) -> str:
    """Whose idempotency keys those of a request about this customer are."""
    return f"customer:{customer.pk}"
