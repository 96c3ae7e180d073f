"""Post entries: the database transaction around the ledger."""

from collections.abc import Sequence

from django.db import transaction

from billing.ledger.posting import BatchMode, PostingOutcome, post_entries
from billing.ledger.shapes import Posting
from billing.models import LedgerEntry

__all__ = ["BatchMode", "Posting", "PostingOutcome", "post", "post_many"]


def post_many(*, postings: Sequence[Posting], mode: BatchMode = BatchMode.ALL) -> list[PostingOutcome]:
    """Append an entry for each posting, of any customers; outcomes come in the order given.

    Mode `all`: one refusal refuses the batch. Mode `each`: every posting is judged after those accepted before it. A
    key seen before gives its first entry and moves nothing.

    Raises:
        BatchRefused: mode `all`, and something was refused (a single posting raises its own refusal).
    """
    with transaction.atomic():
        return post_entries(postings=postings, mode=mode)


def post(*, posting: Posting) -> LedgerEntry:
    """Append one entry, or give the first entry of its key.

    Raises:
        BillingError: the posting was refused (see `billing.ledger.planning.plan_posting`).
    """
    return post_many(postings=[posting])[0].entry
