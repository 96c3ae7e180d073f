"""The front door for application code: what a user has, adding, spending and holding credits.

    from billing.credits import deduct_credits, get_balance, hold_credits

    deduct_credits(user, Decimal("2.5"), description="Image 1024 x 1024", idempotency_key=f"image:{image.pk}")

    with hold_credits(user, estimate, idempotency_key=f"summary:{summary.pk}") as hold:
        cost = do_the_work()
        hold.settle(cost)

Amounts are `Decimal`, `int` or decimal strings of credits; floats are refused. An idempotency key names one intent of
one user: the same call again gives the first result and moves nothing.
"""

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import User
from billing.errors import BillingError, CustomerFrozen, HoldEnded, InsufficientCredits, InvalidRequest
from billing.kinds import CALLER_KEY_PREFIX, GRANT_PRIORITIES, EntryKind, HoldState
from billing.models import BillingCustomer, CreditHold, LedgerEntry
from billing.money import CREDIT_STEP, parse_positive_credits
from billing.selectors.balances import Balance, read_balance
from billing.services.customers import ensure_customer
from billing.services.holds import place_hold, release_hold, settle_hold
from billing.services.posting import Posting, post
from billing.views.refusals import answer_refusal

__all__ = [
    "Hold",
    "add_credits",
    "deduct_credits",
    "get_balance",
    "has_enough_credits",
    "hold_credits",
    "require_credits",
    "spends_credits",
]

# Credits that Stripe pays for come with their payment, by its webhook: application code cannot make them.
_GIVEN_KINDS = tuple(kind for kind in GRANT_PRIORITIES if kind not in (EntryKind.PURCHASE, EntryKind.AUTO_TOP_UP))
MAX_KEY_LENGTH, MAX_DESCRIPTION_LENGTH = 255, 500
MAX_SOURCE_TYPE_LENGTH, MAX_SOURCE_ID_LENGTH = 40, 100
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL refuses these in texts


def get_balance(user: User) -> Balance:
    """What the user has now. One query; the first call for a new user makes an empty balance."""
    now = timezone.now()
    balance = read_balance(user_id=user.pk, now=now)
    if balance is None:
        ensure_customer(user=user)
        balance = read_balance(user_id=user.pk, now=now)
    if balance is None:
        raise RuntimeError(f"User {user.pk} has a customer without a balance row.")
    return balance


def has_enough_credits(user: User, amount: Decimal | int | str) -> bool:
    """Whether `amount` could be spent now. A hint for pages: only spending or holding decides.

    Raises:
        InvalidAmount: `amount` is no positive amount of credits.
    """
    balance = get_balance(user)
    return not balance.is_frozen and balance.spendable >= parse_positive_credits(amount)


def add_credits(
    user: User,
    amount: Decimal | int | str,
    *,
    kind: EntryKind | str,
    idempotency_key: str,
    description: str = "",
    expires_at: datetime | None = None,
    source_type: str = "",
    source_id: str = "",
) -> LedgerEntry:
    """Give the user credits as a new grant; debt is covered first. Gives the entry, or the first one of the key.

    `kind` is one that comes in as a grant, such as `promotion`; what Stripe pays for arrives by itself.

    Raises:
        InvalidAmount, InvalidRequest, IdempotencyConflict: nothing was added.
    """
    if kind not in _GIVEN_KINDS:
        raise InvalidRequest(
            field="kind",
            fault=f"{str(kind)!r} does not add credits",
            remedy=f"Use one of {', '.join(_GIVEN_KINDS)}.",
        )
    return post(
        posting=Posting(
            customer_id=_customer_id(user),
            kind=EntryKind(kind),
            amount=parse_positive_credits(amount),
            key=_caller_key(idempotency_key),
            description=_text(description, field="description", limit=MAX_DESCRIPTION_LENGTH),
            expires_at=expires_at,
            source_type=_text(source_type, field="source_type", limit=MAX_SOURCE_TYPE_LENGTH),
            source_id=_text(source_id, field="source_id", limit=MAX_SOURCE_ID_LENGTH),
        )
    )


def deduct_credits(
    user: User,
    amount: Decimal | int | str,
    *,
    description: str,
    idempotency_key: str,
    occurred_at: datetime | None = None,
    source_type: str = "",
    source_id: str = "",
) -> LedgerEntry:
    """Spend the user's credits at once. Gives the entry, or the first one of the key.

    Raises:
        InvalidAmount, InvalidRequest, InsufficientCredits, CustomerFrozen, IdempotencyConflict: nothing was spent.
    """
    return post(
        posting=Posting(
            customer_id=_customer_id(user),
            kind=EntryKind.USAGE,
            amount=-parse_positive_credits(amount),
            key=_caller_key(idempotency_key),
            description=_text(description, field="description", limit=MAX_DESCRIPTION_LENGTH),
            occurred_at=occurred_at,
            source_type=_text(source_type, field="source_type", limit=MAX_SOURCE_TYPE_LENGTH),
            source_id=_text(source_id, field="source_id", limit=MAX_SOURCE_ID_LENGTH),
        )
    )


@dataclass
class Hold:
    """An open hold inside `hold_credits`."""

    row: CreditHold
    is_settled: bool = False

    @property
    def id(self) -> str:
        return self.row.public_id

    def settle(self, amount: Decimal | int | str, *, description: str = "") -> None:
        """Charge the true cost, zero or more, also above what was held.

        Raises:
            InvalidAmount, InvalidRequest, HoldEnded: nothing was charged.
        """
        text = _text(description, field="description", limit=MAX_DESCRIPTION_LENGTH)
        self.row = settle_hold(hold=self.id, amount=amount, description=text).hold
        self.is_settled = True


@contextmanager
def hold_credits(
    user: User,
    amount: Decimal | int | str,
    *,
    idempotency_key: str,
    description: str = "",
    lifetime: timedelta | None = None,
) -> Iterator[Hold]:
    """Set credits aside for the work inside the block, which settles the hold with the true cost.

    An exception inside releases the hold and passes on: nothing is charged.

    Raises:
        InvalidAmount, InvalidRequest, InsufficientCredits, CustomerFrozen, IdempotencyConflict: nothing was set aside.
        HoldEnded: the key's hold was released or has expired: nothing would pay for the work. A new attempt needs a new
            key. A settled one lets the block run again, and the same cost is not charged twice.
        RuntimeError: the block ended without settling; the hold was released. Settle with 0 where the work is free.
    """
    hold = Hold(
        place_hold(
            customer_id=_customer_id(user),
            amount=amount,
            key=_caller_key(idempotency_key),
            description=_text(description, field="description", limit=MAX_DESCRIPTION_LENGTH),
            lifetime=lifetime,
        )
    )
    if hold.row.state in (HoldState.RELEASED, HoldState.EXPIRED):
        raise HoldEnded(hold=hold.id, state=hold.row.state, ended_at=hold.row.ended_at)
    try:
        yield hold
    except BaseException:
        if not hold.is_settled:
            release_hold(hold=hold.id)
        raise
    if not hold.is_settled:
        release_hold(hold=hold.id)
        raise RuntimeError(f"The block of hold {hold.id} ended without settling it. Nothing was charged.")


def require_credits(amount: Decimal | int | str) -> Callable[..., Callable[..., HttpResponse]]:
    """A decorator for views of signed-in users: below `amount` available credits the view is not called.

    The answer is 402 then (see `billing.views.refusals`): a page that says what is missing and where to buy, or
    `application/problem+json` for clients that ask for JSON; for a frozen customer it is 403. It looks, it does not
    hold: the view still spends.
    """
    return _guard(required=parse_positive_credits(amount), may_be_read=False)


def spends_credits(amount: Decimal | int | str = CREDIT_STEP) -> Callable[..., Callable[..., HttpResponse]]:
    """A decorator for views of signed-in users that spend when a form is sent: everybody may read the page.

    GET, HEAD and OPTIONS always reach the view (the frame warns, see `billing.middleware`). Any other method needs
    `amount` credits to spend, by default more than none, and is refused like by `require_credits`.
    """
    return _guard(required=parse_positive_credits(amount), may_be_read=True)


def _guard(*, required: Decimal, may_be_read: bool) -> Callable[..., Callable[..., HttpResponse]]:
    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not isinstance(request.user, User):
                raise TypeError("Credits are asked for in views of signed-in users: put login_required above.")
            is_read = may_be_read and request.method in _SAFE_METHODS
            refusal = None if is_read else _refusal_for(get_balance(request.user), required=required)
            return answer_refusal(request, refusal) if refusal else view(request, *args, **kwargs)

        return guarded

    return decorate


def _refusal_for(balance: Balance, *, required: Decimal) -> BillingError | None:
    if balance.is_frozen:
        return CustomerFrozen()
    if balance.spendable < required:
        return InsufficientCredits(available=balance.available, required=required)
    return None


def _customer_id(user: User) -> int:
    try:
        return user.billing_customer.pk  # remembered on the user: one query per request at most
    except BillingCustomer.DoesNotExist:
        return ensure_customer(user=user).pk


def _caller_key(idempotency_key: str) -> str:
    if not idempotency_key or len(idempotency_key) > MAX_KEY_LENGTH:
        raise InvalidRequest(
            field="idempotency_key",
            fault=f"it has {len(idempotency_key)} characters",
            remedy=f"Send 1 to {MAX_KEY_LENGTH} characters that name this one intent.",
        )
    return f"{CALLER_KEY_PREFIX}{_text(idempotency_key, field='idempotency_key', limit=MAX_KEY_LENGTH)}"


def _text(text: str, *, field: str, limit: int) -> str:
    """`text` if the ledger can store it as it is: entries are never changed, so nothing is cut off silently."""
    if len(text) > limit:
        fault = f"it has {len(text)} characters"
    elif _UNSTORABLE.search(text):
        fault = "it has a NUL character or half of a surrogate pair"
    else:
        return text
    raise InvalidRequest(field=field, fault=fault, remedy=f"Send at most {limit} characters of plain text.")
