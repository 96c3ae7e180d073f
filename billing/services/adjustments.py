"""What staff do to a customer by hand: credit or debit."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import structlog

from billing.kinds import EntryKind
from billing.services.posting import Posting, PostingOutcome, post_many

log = structlog.get_logger(__name__)


def adjust_credits(*, customer_id: int, amount: Decimal, reason: str, form_id: UUID, staff_id: int) -> PostingOutcome:
    """Credit (a positive amount) or debit a customer by hand. One form acts once; sent again, it gives its first entry.

    Raises:
        InsufficientCredits: a debit exceeds what is available; staff must not make debts.
        IdempotencyConflict: the form was sent before with another amount.
    """
    posting = Posting(
        customer_id=customer_id,
        kind=EntryKind.ADJUSTMENT,
        amount=amount,
        key=f"staff:{form_id}",
        description=reason,
        source_type="staff",
        source_id=str(staff_id),
    )
    outcome = post_many(postings=[posting])[0]
    log.info("credits_adjusted", customer_id=customer_id, staff_id=staff_id, is_replay=outcome.is_replay)
    return outcome
