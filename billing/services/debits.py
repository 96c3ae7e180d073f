"""Spend credits at once: for callers of the API, whose key may have a limit of its own."""

from decimal import Decimal

from django.db import transaction

from billing.kinds import CALLER_KEY_PREFIX, EntryKind
from billing.ledger.posting import PostingOutcome, post_entries
from billing.ledger.shapes import Posting
from billing.money import ZERO, parse_positive_credits
from billing.services.key_limits import check_key_limit

SOURCE_TYPE = "caller"


def debit_credits(
    *, customer_id: int, amount: Decimal | int | str, key: str, placed_by: str, description: str = ""
) -> PostingOutcome:
    """Spend credits; the entry says by `source_id` who did. The same key gives the first entry.

    Inside a database transaction of the caller's a refusal ends that one too: two round trips less for each debit.

    Raises:
        InvalidAmount, InsufficientCredits, KeyLimitReached, CustomerFrozen, IdempotencyConflict: nothing was spent.
    """
    cost = parse_positive_credits(amount)
    posting = Posting(
        customer_id=customer_id,
        kind=EntryKind.USAGE,
        amount=-cost,
        key=f"{CALLER_KEY_PREFIX}{key}",
        description=description,
        source_type=SOURCE_TYPE,
        source_id=placed_by,
    )
    with transaction.atomic(savepoint=False):
        (outcome,) = post_entries(postings=[posting])
        if not outcome.is_replay and outcome.posted_at is not None:
            check_key_limit(placed_by=placed_by, charged=cost, held=ZERO, now=outcome.posted_at)
    return outcome
