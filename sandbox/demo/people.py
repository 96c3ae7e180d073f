"""The demo's people, with verified addresses."""

from __future__ import annotations

from allauth.account.models import EmailAddress

from accounts.models import User
from sandbox.demo.accounts import DemoAccount


def ensure_account(account: DemoAccount) -> User:
    """The account's user, able to log in with the password that is printed at the start."""
    user = User.objects.filter(email=account.email).first() or User.objects.create_user(
        account.email, account.password, first_name=account.role.capitalize()
    )
    if not user.check_password(account.password):
        user.set_password(account.password)
    user.is_active, user.is_staff, user.is_superuser = True, account.is_staff, account.is_staff
    user.save()
    EmailAddress.objects.update_or_create(user=user, email=account.email, defaults={"verified": True, "primary": True})
    return user
