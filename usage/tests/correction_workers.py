"""What the processes of the tests of corrections do. Each has its own interpreter and its own connection."""

import os
from datetime import datetime
from itertools import count
from typing import Any


def correct_and_die(*, database: str, model: str, since: str, until: str, price_id: int, batches: int) -> None:
    """Correct in batches of two calls, and die without a word after some of them."""
    from billing.tests.ledger.race_workers import join_database

    join_database(database)
    from django.utils import timezone

    from usage.selectors import corrections as selectors
    from usage.services import corrections

    selectors.CALLS_PER_PAGE = 2
    move, number = corrections._move, count(1)

    def die_later(*arguments: Any) -> None:
        move(*arguments)
        if next(number) > batches:
            os._exit(9)  # inside the database transaction of this batch

    corrections._move = die_later  # type: ignore[assignment]
    terms = corrections.read_terms(
        model=model,
        since=datetime.fromisoformat(since),
        until=datetime.fromisoformat(until),
        price_id=price_id,
        now=timezone.now(),
    )
    corrections.apply_correction(terms=terms, reason="Wrong price list", actor=None)
