"""What billing does when allauth tells of a sign-up or a verified address, or a new API key is saved."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed, user_signed_up
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.addresses import list_verified_addresses
from accounts.models import ApiKey, User
from accounts.network import client_address
from billing.services.customers import ensure_customer
from billing.services.key_notices import announce_new_key
from billing.services.signup_bonus import grant_signup_bonus


@receiver(user_signed_up, dispatch_uid="billing.receivers.open_account")
def open_account(*, request: HttpRequest, user: User, **_: Any) -> None:
    """A customer for the new user; the bonus too, where the login provider has vouched for an address already."""
    ensure_customer(user=user)
    vouched_for = list_verified_addresses(user_id=user.pk)
    if vouched_for:
        grant_signup_bonus(user=user, verified_email=vouched_for[0], client_address=client_address(request))


@receiver(email_confirmed, dispatch_uid="billing.receivers.welcome")
def welcome(*, request: HttpRequest, email_address: EmailAddress, **_: Any) -> None:
    """The bonus for the user's first verified address; a later one, or a changed one, brings none."""
    if list_verified_addresses(user_id=email_address.user_id) == [email_address.email]:
        grant_signup_bonus(
            user=email_address.user, verified_email=email_address.email, client_address=client_address(request)
        )


@receiver(post_save, sender=ApiKey, dispatch_uid="billing.receivers.tell_of_key")
def tell_of_key(*, instance: ApiKey, created: bool, raw: bool, **_: Any) -> None:
    """Whoever owns a new key is told of it, in the database transaction that makes it."""
    if created and not raw:
        announce_new_key(key=instance)
