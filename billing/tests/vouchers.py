"""Staff who make vouchers, people who redeem them, and vouchers with terms of a test's own."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Permission

from accounts.models import User
from billing.models import BillingCustomer
from billing.services.voucher_batches import MadeVouchers, VoucherTerms, make_vouchers
from billing.services.vouchers import Redeemed, redeem_voucher
from billing.tests.shop import make_customer

_numbers = itertools.count(1)


def make_issuer(*codenames: str) -> User:
    """A member of staff who may make vouchers, and what else is named."""
    person = User.objects.create_user(f"issuer-{next(_numbers)}@example.com", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=["issue_vouchers", *codenames]))
    return person


def make_verified_customer() -> BillingCustomer:
    """Somebody new, whose address is verified."""
    customer = make_customer()
    user = customer.user
    assert user is not None
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return customer


def make_batch(*, actor: User | None = None, form_key: str = "", **terms: Any) -> MadeVouchers:
    """Vouchers of 50 credits, by default one code with one use."""
    chosen: dict[str, Any] = {"name": "Spring", "credits": Decimal(50), "code_count": 1, **terms}
    return make_vouchers(
        terms=VoucherTerms(**chosen),
        note="For the fair",
        form_key=form_key or f"form-{next(_numbers)}",
        actor=actor or make_issuer(),
        address="203.0.113.7",
    )


def redeem(customer: BillingCustomer, code: str, *, key: str = "", network_hash: str = "") -> Redeemed:
    """One try, by default a new intent from nowhere."""
    return redeem_voucher(
        customer=customer, code=code, request_key=key or f"try-{next(_numbers)}", network_hash=network_hash
    )
