"""What an adjustment must be before it is posted or waits for a second person."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from billing.errors import InsufficientCredits, InvalidAmount, InvalidRequest, NothingToWriteOff
from billing.models import Adjustment, ReasonCode
from billing.money import format_credits
from billing.selectors.balances import read_balance

MAX_FORM_KEY_LENGTH, MAX_TICKET_LENGTH = 100, 500
_is_https_address = URLValidator(schemes=["https"])


def check_values(*, wish: Adjustment) -> None:
    """Refuse what no customer and no day could make right.

    Raises:
        InvalidAmount, InvalidRequest: names the field.
    """
    if not wish.amount or (wish.is_write_off and wish.amount < 0):
        raise InvalidAmount(field="amount", fault="it is zero, or a negative amount to write off")
    if wish.reason_code not in ReasonCode.values:
        remedy = f"Send one of {', '.join(ReasonCode.values)}."
        raise InvalidRequest(field="reason_code", fault=f"{wish.reason_code[:40]!r} is no reason", remedy=remedy)
    if wish.may_leave_debt and wish.amount > 0:
        raise InvalidRequest(field="may_leave_debt", fault="only a debit can leave a debt", remedy="Leave it out.")
    if not 0 < len(wish.form_key) <= MAX_FORM_KEY_LENGTH:
        raise InvalidRequest(field="form_key", fault="it is empty or too long", remedy="Open the form again.")
    if wish.ticket:
        try:
            _is_https_address(wish.ticket)
        except ValidationError:
            raise InvalidRequest(field="ticket", fault="it is no link", remedy="Send an https:// address.") from None
    if len(wish.ticket) > MAX_TICKET_LENGTH:
        raise InvalidRequest(field="ticket", fault="it is too long", remedy=f"At most {MAX_TICKET_LENGTH} characters.")


def check_is_possible(*, wish: Adjustment, now: datetime) -> None:
    """Nobody is asked to approve what could not be posted now; the ledger decides again when it is.

    Raises:
        InsufficientCredits: a debit without cover that must not leave a debt.
        NothingToWriteOff, InvalidAmount: no debt, or a smaller one.
    """
    balance = read_balance(customer_id=wish.customer_id, now=now)
    if balance is None:
        raise RuntimeError(f"The customer {wish.customer_id} has no balance row.")
    if wish.is_write_off and not balance.debt:
        raise NothingToWriteOff
    if wish.is_write_off and wish.amount > balance.debt:
        raise InvalidAmount(field="amount", fault=f"the debt is {format_credits(balance.debt)} credits")
    if -wish.amount > balance.available and not wish.may_leave_debt:
        raise InsufficientCredits(available=balance.available, required=-wish.amount)
