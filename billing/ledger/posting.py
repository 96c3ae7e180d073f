"""Lock, load, plan, write: postings of one or many customers inside the caller's database transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from django.utils import timezone

from billing.errors import BatchRefused, BillingError
from billing.ledger.lapsing import expire_lapsed
from billing.ledger.locking import load_accounts, load_history, lock_accounts
from billing.ledger.planning import check_books, plan_posting
from billing.ledger.shapes import NewEntry, Posting
from billing.ledger.writing import write_plan
from billing.models import LedgerEntry

MAX_BATCH = 10_000


class BatchMode(StrEnum):
    """What one refusal means for the rest of a batch."""

    ALL = "all"  # nothing is posted
    EACH = "each"  # the others are posted


@dataclass
class PostingOutcome:
    """What became of one posting: an entry (the first one, where the key is a replay) or a refusal."""

    posting: Posting
    entry_id: int | None = None
    is_replay: bool = False
    refusal: BillingError | None = None
    new_entry: NewEntry | None = None
    posted_at: datetime | None = None

    @cached_property
    def entry(self) -> LedgerEntry:
        """The entry's row; read from the database where it was there before, built from the plan where it is new.

        Raises:
            BillingError: the posting was refused, for this reason.
        """
        if self.refusal is not None:
            raise self.refusal
        if self.entry_id is None:
            raise RuntimeError("The posting was not made yet.")
        if self.new_entry is None or self.posted_at is None:
            return LedgerEntry.objects.get(pk=self.entry_id)
        return entry_row(
            entry_id=self.entry_id, customer_id=self.posting.customer_id, new=self.new_entry, created_at=self.posted_at
        )


def entry_row(*, entry_id: int | None, customer_id: int, new: NewEntry, created_at: datetime) -> LedgerEntry:
    """The row that the writer has just made of a planned entry, without reading it back."""
    entry = LedgerEntry(
        id=entry_id,
        customer_id=customer_id,
        sequence=new.sequence,
        kind=new.kind.value,
        amount=new.amount,
        balance_after=new.balance_after,
        idempotency_key=new.key,
        request_hash=new.request_hash,
        description=new.description,
        occurred_at=new.occurred_at,
        created_at=created_at,
        payment_id=new.payment_id,
        plan_period_id=new.plan_period_id,
        hold_id=new.hold_id,
        corrects_id=new.corrects_id,
        is_late=new.is_late,
        source_type=new.source_type,
        source_id=new.source_id,
    )
    entry._state.adding = False
    return entry


def post_entries(*, postings: Sequence[Posting], mode: BatchMode = BatchMode.ALL) -> list[PostingOutcome]:
    """Append an entry for each posting and move the balances; outcomes come in the order given.

    Call inside `transaction.atomic()`. A single posting is a batch of one. A key repeated inside the batch is a replay
    of the first. What has lapsed is expired first.

    Raises:
        BatchRefused: mode `all`, several postings, and at least one was refused; nothing is to be committed.
        BillingError: the refusal itself, where one posting was given.
        RuntimeError: a posting makes no sense, or the batch is too large.
    """
    if len(postings) > MAX_BATCH:
        raise RuntimeError(f"A batch has at most {MAX_BATCH} postings, this one has {len(postings)}.")
    if not postings:
        return []
    accounts, lapsing = lock_accounts(customer_ids=(posting.customer_id for posting in postings))
    now = timezone.now()
    keys = [(posting.customer_id, posting.key) for posting in postings]
    load_accounts(accounts=accounts, keys=keys, lapsing=lapsing, now=now)
    load_history(accounts=accounts, postings=postings, now=now)
    for customer_id in lapsing:
        expire_lapsed(account=accounts[customer_id], now=now)

    outcomes = []
    for posting in postings:
        account, outcome = accounts[posting.customer_id], PostingOutcome(posting)
        entries_before = len(account.entries)
        try:
            outcome.entry_id = plan_posting(account=account, posting=posting, now=now)
        except BillingError as refusal:
            outcome.refusal = refusal
        else:
            outcome.is_replay = len(account.entries) == entries_before
        outcomes.append(outcome)
    if mode is BatchMode.ALL:
        _refuse_all(outcomes)

    changed = [account for account in accounts.values() if account.entries]
    for account in changed:
        check_books(account)
    entry_ids = write_plan(accounts=changed, now=now)
    for outcome in outcomes:
        if outcome.entry_id is not None and outcome.entry_id < 0:
            sequence, customer_id = -outcome.entry_id, outcome.posting.customer_id
            outcome.entry_id = entry_ids[customer_id, sequence]
            outcome.new_entry, outcome.posted_at = accounts[customer_id].new_entry(sequence), now
    return outcomes


def _refuse_all(outcomes: Sequence[PostingOutcome]) -> None:
    refusals = {index: outcome.refusal for index, outcome in enumerate(outcomes) if outcome.refusal}
    if refusals and len(outcomes) == 1:
        raise refusals[0]
    if refusals:
        raise BatchRefused(refusals=refusals)


def expire_lapsed_credits_of(*, customer_id: int) -> int:
    """Expire what has lapsed of one customer; gives the number of entries. Call inside `transaction.atomic()`."""
    accounts, lapsing = lock_accounts(customer_ids=[customer_id])
    now = timezone.now()
    load_accounts(accounts=accounts, keys=[], lapsing=lapsing, now=now)
    account = accounts[customer_id]
    expire_lapsed(account=account, now=now)
    check_books(account)
    if account.entries:
        write_plan(accounts=[account], now=now)
    return len(account.entries)
