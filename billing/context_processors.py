"""What the frame of every page shows."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from billing.selectors.balances import Balance, read_balance


def header_balance(request: HttpRequest) -> dict[str, Any]:
    """`header_balance`: the logged-in user's balance, read when a template asks for it; nothing for strangers.

    A view that has read the balance leaves it in `request.billing_balance`, so that a page reads it once.
    """

    return {"header_balance": SimpleLazyObject(lambda: balance_of_request(request))}


def balance_of_request(request: HttpRequest) -> Balance | None:
    """The logged-in user's balance, read once for a request; nothing for strangers and for who has none yet."""
    known: Balance | None = getattr(request, "billing_balance", None)
    user = getattr(request, "user", None)
    if known is None and user is not None and user.is_authenticated:
        known = read_balance(user_id=user.pk, now=timezone.now())
        request.billing_balance = known  # type: ignore[attr-defined]
    return known
