"""The demo's people, with verified addresses."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group

from accounts.models import User
from billing.models import BillingCustomer
from billing.services.customers import ensure_customer
from sandbox.demo.accounts import DemoAccount


def ensure_account(account: DemoAccount) -> User:
    """The account's user, who logs in with the password that is printed at the start, or with one that you chose since.

    It is not checked again: seven hashes would be most of what a second start takes.
    """
    user = User.objects.filter(email=account.email).first() or User.objects.create_user(
        account.email, account.password, first_name=account.role.capitalize()
    )
    user.is_active, user.is_staff = True, account.is_staff
    user.is_superuser = account.is_staff and not account.group
    user.save()
    user.groups.set(Group.objects.filter(name=account.group))
    _verify_address(user)
    return user


def ensure_buyer(*, email: str) -> BillingCustomer:
    """A customer who is there to be looked at: nobody logs in as them, unless the address has an account already."""
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, first_name=email.partition("@")[0].capitalize())
        _verify_address(user)
    return ensure_customer(user=user)


def _verify_address(user: User) -> None:
    EmailAddress.objects.update_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
