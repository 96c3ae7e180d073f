"""Customers: made at first need, frozen and flagged."""

from django.db import transaction

from accounts.models import User
from billing.ledger import balances
from billing.ledger.locking import lock_accounts
from billing.models import BillingCustomer
from billing.services.flags import STAFF, end_flag, raise_flag, standing_flags


def ensure_customer(*, user: User) -> BillingCustomer:
    """The user's customer, made with an empty balance if there is none. Two callers at once get the same one."""
    with transaction.atomic():
        customer, is_new = BillingCustomer.objects.get_or_create(user=user)
        if is_new:
            balances.open_balance(customer_id=customer.pk)
    return customer


def create_external_customer(*, external_id: str, email: str | None = None) -> tuple[BillingCustomer, bool]:
    """The customer that the product calls so, made with an empty balance if there is none; and whether it was made.

    Two callers at once get the same one. An e-mail address that is given replaces the one kept. No bonus: it is for
    people who sign up here.
    """
    with transaction.atomic():
        customer, is_new = BillingCustomer.objects.get_or_create(
            external_id=external_id, defaults={"email": email or ""}
        )
        if is_new:
            balances.open_balance(customer_id=customer.pk)
        elif email is not None and customer.email != email:
            customer.email = email
            customer.save(update_fields=["email"])
    return customer, is_new


def freeze_customer(*, customer_id: int, reason: str) -> None:
    """Refuse debits and holds from now on; settling, releasing, expiry, claw-backs and grants go on.

    The first reason stays until the freeze is lifted.
    """
    with transaction.atomic():
        raise_flag(customer_id=customer_id, cause=STAFF, reason=reason, freezes=True)


def unfreeze_customer(*, customer_id: int, reason: str, actor: User | None = None) -> None:
    """Let the customer spend again, whatever froze it: ends every flag that freezes."""
    with transaction.atomic():
        lock_accounts(customer_ids=[customer_id])
        for flag in standing_flags(customer_id=customer_id):
            if flag.freezes:
                end_flag(customer_id=customer_id, cause=flag.cause, reason=reason, actor=actor)
