"""Spend in batches: usage of one customer, told by one caller, whose API key may have a limit of its own."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from billing.errors import KeyLimitReached
from billing.ledger.locking import lock_accounts
from billing.ledger.posting import BatchMode, PostingOutcome, post_entries
from billing.ledger.shapes import Posting
from billing.money import ZERO
from billing.services.key_limits import KeyRoom, count_key_spending, find_key_room
from billing.services.key_notices import announce_key_limit


class _BeyondLimit(Exception):
    """Some of the batch passes the key's limit, so all of it is taken back, to post the rest."""

    def __init__(self, refusals: Mapping[int, KeyLimitReached]) -> None:
        self.refusals = refusals
        super().__init__()


def spend_in_batch(
    *, customer_id: int, postings: Sequence[Posting], placed_by: str, is_limited: bool = True
) -> list[PostingOutcome]:
    """Post usage, each posting judged after those accepted before it; outcomes come in the order given.

    What is beyond the key's monthly limit is refused one by one, unless the key's limit does not stop it
    (`is_limited`); it is counted in any case.
    """
    with transaction.atomic():
        # Balance and key are locked before the savepoint below, which would let go of its own locks.
        lock_accounts(customer_ids=[customer_id])
        now = timezone.now()
        room = find_key_room(placed_by=placed_by, now=now) if is_limited else None
        try:
            with transaction.atomic():
                outcomes = post_entries(postings=postings, mode=BatchMode.EACH)
                if room is not None and _spent(outcomes) > room.left:
                    raise _BeyondLimit(_find_beyond(customer_id=customer_id, outcomes=outcomes, room=room))
        except _BeyondLimit as beyond:
            outcomes = _post_rest(postings=postings, refusals=beyond.refusals)
            announce_key_limit(placed_by=placed_by, now=now)
        if spent := _spent(outcomes):
            count_key_spending(placed_by=placed_by, amount=spent, now=now)
    return outcomes


def _find_beyond(*, customer_id: int, outcomes: Sequence[PostingOutcome], room: KeyRoom) -> dict[int, KeyLimitReached]:
    """Which postings pass the limit where each is judged after those accepted before it, by credits and by limit."""
    accounts, _ = lock_accounts(customer_ids=[customer_id])  # what is left after the whole batch
    spendable, left = accounts[customer_id].spendable + _spent(outcomes), room.left
    refusals = {}
    for index, outcome in enumerate(outcomes):
        cost = -outcome.posting.amount
        if outcome.is_replay or cost > spendable:
            continue
        if cost > left:
            refusals[index] = KeyLimitReached(limit=room.limit, available=left, required=cost)
        else:
            spendable, left = spendable - cost, left - cost
    return refusals


def _post_rest(*, postings: Sequence[Posting], refusals: Mapping[int, KeyLimitReached]) -> list[PostingOutcome]:
    """Outcomes of all postings, after posting those that the limit allows."""
    rest = [posting for index, posting in enumerate(postings) if index not in refusals]
    posted = iter(post_entries(postings=rest, mode=BatchMode.EACH))
    return [
        PostingOutcome(posting, refusal=refusals[index]) if index in refusals else next(posted)
        for index, posting in enumerate(postings)
    ]


def _spent(outcomes: Sequence[PostingOutcome]) -> Decimal:
    """What was newly posted."""
    new = (outcome for outcome in outcomes if outcome.refusal is None and not outcome.is_replay)
    return -sum((outcome.posting.amount for outcome in new), ZERO)
