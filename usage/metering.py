"""The front door for application code that spends credits on work.

    from usage.metering import charge_credits, metered

    with metered(user, "gpt-4o-mini", messages, idempotency_key=f"reply:{reply.pk}", max_tokens=500) as call:
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages, max_tokens=500)
        call.report(answer.usage)
    call.charged, call.event.basis

A call is estimated and held for before the block and charged after it: what the provider reported, else what was
delivered (`call.deliver(text)` for each piece of a stream), else nothing. An exception inside passes on; what was
reported or delivered before it is charged and marked as interrupted, where nothing was the hold is given back. A
process that is killed leaves a hold, which expires by itself. One block is one call of a model.

The idempotency key names one piece of work of one user. Once that was charged, opening it again raises `AlreadyCharged`
with the first event, and the block does not run; after a failure that was not charged the same key may try again. Two
blocks of one key at the same time may both run: one charge comes of it, that of the one who ends first.

For operations at a fixed price (`OperationPrice`):

    with charge_credits(user, operation="image-1024", idempotency_key=f"image:{image.pk}"):
        draw(image)

    @login_required
    @charge_credits(operation="export")
    def export(request): ...

Refusals are those of `billing.errors`: `InsufficientCredits`, `KeyLimitReached`, `CustomerFrozen`, `UnknownModel`, …
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.models import ApiKey, User
from billing.errors import BillingError, HoldEnded
from billing.models import BillingCustomer
from billing.services.customers import ensure_customer
from billing.views.refusals import answer_refusal
from usage.models import Basis
from usage.services.calls import abandon_call, finish_call, open_operation
from usage.services.metered_call import MeteredCall
from usage.services.metered_work import AlreadyCharged, MeteredWork, refuse_what_is_done, telling_of_limit

__all__ = ["AlreadyCharged", "ChargedOperation", "MeteredCall", "charge_credits", "metered"]

_FIRST_ERROR_STATUS = 400


def metered(
    user: User,
    model: str,
    messages: Iterable[Any] | str,
    *,
    idempotency_key: str,
    max_tokens: int | None = None,
    tools: Any = None,
    api_key: ApiKey | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> MeteredCall:
    """A call of a language model that the user pays for: use it as a context manager, or `open()` and `close()` it.

    `messages` (a text, or a conversation as OpenAI's API takes it) and `tools` are only counted. `max_tokens` bounds
    the estimate, so pass on what you ask the provider for. With `api_key` the key's monthly limit counts too. The
    object says `estimate` at once, `held` inside the block, `charged` and `event` after it.

    Raises:
        UnknownModel, InvalidRequest: the call cannot be estimated. Other refusals come when it is opened.
    """
    return MeteredCall(
        customer_id=_customer_id(user),
        model=model,
        messages=messages,
        event_id=idempotency_key,
        max_tokens=max_tokens,
        tools=tools,
        api_key=api_key,
        metadata=metadata,
    )


def charge_credits(
    user: User | None = None,
    *,
    operation: str,
    quantity: int = 1,
    idempotency_key: str | Callable[..., str] = "",
    api_key: ApiKey | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> ChargedOperation:
    """The fixed price of an operation: held before the work, charged after it, given back on an exception.

    With a `user` it is a context manager, and `idempotency_key` names this one piece of work. Without one it decorates
    a function whose first argument is a user or a request: each call of it is charged, or each piece of work once
    where `idempotency_key` is a function of the same arguments that names it. A view that cannot be paid for is not
    called, and answers as `billing.credits.require_credits` does; one that answers with a status of 400 or more is not
    charged.
    """
    return ChargedOperation(
        user=user,
        operation=operation,
        quantity=quantity,
        idempotency_key=idempotency_key,
        api_key=api_key,
        metadata=metadata,
    )


class ChargedOperation(MeteredWork):
    """An operation at a fixed price; `charge_credits` makes it. After `fail()` it is not charged."""

    def __init__(
        self,
        *,
        user: User | None,
        operation: str,
        quantity: int,
        idempotency_key: str | Callable[..., str],
        api_key: ApiKey | None,
        metadata: Mapping[str, Any] | None,
    ) -> None:
        super().__init__()
        self._user, self._operation, self._quantity = user, operation, quantity
        self._key, self._api_key, self._metadata = idempotency_key, api_key, metadata

    def __enter__(self) -> ChargedOperation:
        """Hold the price.

        Raises:
            AlreadyCharged: the work of this name is done; do not do it again.
            UnknownOperation, InsufficientCredits, KeyLimitReached, CustomerFrozen, InvalidRequest: nothing is held.
        """
        if self._user is None or not isinstance(self._key, str) or not self._key:
            raise TypeError("A block of charge_credits needs a user and an idempotency_key that names its work.")
        customer_id = _customer_id(self._user)
        try:
            refuse_what_is_done(customer_id=customer_id, event_id=self._key)
            with telling_of_limit(self._api_key):
                self._call = open_operation(
                    customer_id=customer_id,
                    operation=self._operation,
                    quantity=self._quantity,
                    event_id=self._key,
                    api_key=self._api_key,
                    metadata=self._metadata,
                )
        except HoldEnded:  # by another worker, a moment ago
            refuse_what_is_done(customer_id=customer_id, event_id=self._key)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._call is None:
            raise RuntimeError("The block was left before it was entered.")
        failure = type(error).__name__ if error is not None else self._failure
        if failure:
            self._event = abandon_call(call=self._call, failure=failure)
        else:
            self._event = finish_call(call=self._call, basis=Basis.FIXED)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a function: every call of it is an operation of its own."""
        if self._user is not None or (isinstance(self._key, str) and self._key):
            raise TypeError("The decorator takes the user, and the name of the work, from the arguments of each call.")

        @functools.wraps(function)
        def charged(caller: User | HttpRequest, *args: Any, **kwargs: Any) -> Any:
            name = self._key(caller, *args, **kwargs) if callable(self._key) else uuid.uuid4().hex
            operation = charge_credits(
                _user_of(caller),
                operation=self._operation,
                quantity=self._quantity,
                idempotency_key=name,
                api_key=self._api_key,
                metadata=self._metadata,
            )
            with ExitStack() as stack:
                try:
                    stack.enter_context(operation)
                except BillingError as refusal:
                    if isinstance(caller, HttpRequest):
                        return answer_refusal(caller, refusal)
                    raise
                result = function(caller, *args, **kwargs)
                if isinstance(result, HttpResponse) and result.status_code >= _FIRST_ERROR_STATUS:
                    operation.fail(f"It answered {result.status_code}.")
            return result

        return charged


def _user_of(caller: User | HttpRequest) -> User:
    user = caller.user if isinstance(caller, HttpRequest) else caller
    if not isinstance(user, User):
        raise TypeError("charge_credits decorates functions of a signed-in user: put login_required above it.")
    return user


def _customer_id(user: User) -> int:
    try:
        return user.billing_customer.pk
    except BillingCustomer.DoesNotExist:
        return ensure_customer(user=user).pk
