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

    def read() -> Balance | None:
        known: Balance | None = getattr(request, "billing_balance", None)
        if known is not None:
            return known
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return None
        return read_balance(user_id=user.pk, now=timezone.now())

    return {"header_balance": SimpleLazyObject(read)}
