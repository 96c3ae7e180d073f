"""How far below zero staff let a customer's usage go."""

from decimal import Decimal
from typing import Final

from django.db import transaction

from billing.errors import InvalidRequest
from billing.ledger.balances import set_overdraft_limit
from billing.money import format_credits

MAX_OVERDRAFT: Final = Decimal(10_000_000)  # more is a slip of a digit


def set_overdraft(*, customer_id: int, limit: Decimal) -> Decimal:
    """Set the customer's overdraft in credits, 0 for none; gives what it was. Call it where the act is audited.

    Raises:
        InvalidRequest: it is negative or absurdly high.
    """
    if not 0 <= limit <= MAX_OVERDRAFT:
        raise InvalidRequest(
            field="limit",
            fault=f"{limit} is no overdraft",
            remedy=f"Give credits from 0 to {format_credits(MAX_OVERDRAFT)}.",
        )
    with transaction.atomic():
        return set_overdraft_limit(customer_id=customer_id, limit=limit)
