"""Where allauth's behaviour is ours."""

from __future__ import annotations

from functools import partial
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core.context import request_context
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpRequest

from accounts.network import client_address


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up, login and verification by e-mail address."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """One rule for the caller's address everywhere: rate limits, notice mails, sessions and the bonus."""
        return client_address(request)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Verify the address and do what hangs on it together: after a failure the link works again."""
        with transaction.atomic():
            return bool(super().confirm_email(request, email_address))

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Tell of a change once it is committed: no mail server is waited for while rows are locked."""
        send, request = partial(super().send_notification_mail, *args, **kwargs), self.request

        def send_for_request() -> None:
            with request_context(request):
                send()

        transaction.on_commit(send_for_request, robust=True)


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Login through Google."""

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> object:
        """The provider; without `GOOGLE_CLIENT_ID` its pages do not exist."""
        if provider == "google" and not settings.GOOGLE_CLIENT_ID:
            raise Http404("Google login is not set up.")
        return super().get_provider(request, provider, client_id=client_id)
