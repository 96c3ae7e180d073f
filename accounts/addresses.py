"""E-mail addresses: which spellings are one mailbox, and which of them are verified."""

from __future__ import annotations

import unicodedata

from allauth.account.models import EmailAddress

_GMAIL_DOMAINS = frozenset({"gmail.com", "googlemail.com"})


def normalise_address(email: str) -> str:
    """One spelling for all addresses of one mailbox: lower case, no `+tag`; Gmail's dots and second domain removed.

    Gmail ignores dots in the local part (support.google.com/mail/answer/7436150), so counting its spellings as
    different people would hand out a bonus for each dot. No other provider's dots are touched: there they tell people
    apart. The result is for comparing only, never for sending.
    """
    local, _, domain = unicodedata.normalize("NFKC", email).strip().lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _GMAIL_DOMAINS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def list_verified_addresses(*, user_id: int) -> list[str]:
    """The user's verified addresses, the primary one first."""
    verified = EmailAddress.objects.filter(user_id=user_id, verified=True).order_by("-primary", "pk")
    return list(verified.values_list("email", flat=True))
