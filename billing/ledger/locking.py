"""Locks balances, then loads what the planner needs, in this order and never in one statement.

A statement that locks and reads grants at once sees the grants from before it waited for the lock, and two sessions
draw the same credits. Call these inside `transaction.atomic()` at READ COMMITTED. Lock order everywhere: inbox row or
voucher, balances by ascending customer, then payments, grants, holds.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NewType

from django.db import connection
from psycopg.types.numeric import Int8

from billing.kinds import CALLER_KEY_PREFIX, RETURNS, UNDONE_BY_MONEY, AllocationKind, EntryKind, HoldState
from billing.ledger.shapes import Account, Grant, Hold, KnownEntry, PastEntry, Posting, UncoveredEntry
from billing.models import CreditGrant, CreditHold, GrantAllocation, LedgerEntry, UncoveredPart

LockedAccounts = NewType("LockedAccounts", dict[int, Account])
"""Accounts whose balance rows this database transaction holds."""

LOCK_MANY = """
    SELECT customer_id, posted, held, overdraft_limit, last_sequence, frozen_at IS NOT NULL AS is_frozen,
        next_expiry_at, top_up_below, top_up_due_at
    FROM billing_creditbalance WHERE customer_id = ANY(%s) ORDER BY customer_id FOR UPDATE
"""
# One round trip for both: the customers' open grants in burn-down order, and the entries that given keys stand for.
_LOAD = """
    (SELECT id, customer_id, amount, remaining, priority, expires_at, payment_id, plan_period_id, entry_id,
        NULL::text, NULL::text
     FROM billing_creditgrant WHERE customer_id = ANY(%(customers)s) AND is_open
     ORDER BY customer_id, priority, expires_at ASC NULLS LAST, id)
    UNION ALL
    SELECT entry.id, entry.customer_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, entry.idempotency_key,
        entry.request_hash
    FROM unnest(%(key_customers)s::bigint[], %(keys)s::text[]) AS asked(customer_id, key)
    JOIN billing_ledgerentry entry ON entry.customer_id = asked.customer_id AND entry.idempotency_key = asked.key
"""
# The same for one customer and one key, as most calls are: plain parameters are cheaper than arrays.
LOCK_ONE = LOCK_MANY.replace("= ANY(%s) ORDER BY customer_id", "= %s")
# Whose hold it is never changes, so the statement that locks may look that up itself.
_LOCK_OF_HOLD = LOCK_ONE.replace(
    "= %s",
    """= (
        SELECT customer_id FROM billing_credithold WHERE public_id = %(hold)s
        AND (%(placed_by)s::text IS NULL OR placed_by = %(placed_by)s AND starts_with(idempotency_key, %(prefix)s))
    )""",
)
LOAD_ONE = """
    (SELECT id, customer_id, amount, remaining, priority, expires_at, payment_id, plan_period_id, entry_id,
        NULL::text, NULL::text
     FROM billing_creditgrant WHERE customer_id = %(customer)s AND is_open
     ORDER BY priority, expires_at ASC NULLS LAST, id)
    UNION ALL
    SELECT id, customer_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, idempotency_key, request_hash
    FROM billing_ledgerentry WHERE customer_id = %(customer)s AND idempotency_key = %(key)s
"""


def lock_accounts(*, customer_ids: Iterable[int]) -> tuple[LockedAccounts, set[int]]:
    """Lock the balances of customers by ascending id; gives their accounts and who may have lapsed grants.

    Read the clock after this, not before. Locking a row that this database transaction holds already costs nothing.

    Raises:
        RuntimeError: outside a database transaction, or a customer has no balance row.
    """
    wanted = sorted(set(customer_ids))
    if len(wanted) == 1:
        accounts, lapsing = _lock(LOCK_ONE, [Int8(wanted[0])])
    else:
        accounts, lapsing = _lock(LOCK_MANY, [wanted])
    if len(accounts) != len(wanted):
        raise RuntimeError(f"No balance row for the customers {sorted(set(wanted) - set(accounts))}.")
    return accounts, lapsing


def lock_account_of_hold(*, public_id: str, placed_by: str | None) -> tuple[LockedAccounts, set[int]]:
    """Lock the balance that a hold is of, as `lock_accounts` does; no account where there is no such hold.

    Callers (`placed_by`) reach only what they asked for themselves. What a metered call set aside for a caller is not
    among it: nobody makes a running call free.
    """
    return _lock(_LOCK_OF_HOLD, {"hold": public_id, "placed_by": placed_by, "prefix": CALLER_KEY_PREFIX})


def _lock(statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> tuple[LockedAccounts, set[int]]:
    if not connection.in_atomic_block:
        raise RuntimeError("Balances are locked inside a database transaction only.")
    accounts, lapsing = {}, set()
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        for customer_id, posted, held, limit, last_sequence, is_frozen, lapses_at, below, due_at in cursor.fetchall():
            accounts[customer_id] = Account(
                customer_id=customer_id,
                posted=posted,
                held=held,
                overdraft_limit=limit,
                last_sequence=last_sequence,
                is_frozen=is_frozen,
                top_up_below=below,
                top_up_due_at=due_at,
            )
            if lapses_at is not None:
                lapsing.add(customer_id)
    return LockedAccounts(accounts), lapsing


def load_accounts(
    *, accounts: LockedAccounts, keys: Sequence[tuple[int, str]], lapsing: Collection[int], now: datetime
) -> None:
    """Load open grants, known keys, uncovered parts and, where grants have lapsed, open holds into locked accounts."""
    with connection.cursor() as cursor:
        if len(accounts) == len(keys) == 1:
            cursor.execute(LOAD_ONE, {"customer": Int8(keys[0][0]), "key": keys[0][1]})
        else:
            customers, wanted = [key[0] for key in keys], [key[1] for key in keys]
            cursor.execute(_LOAD, {"customers": list(accounts), "key_customers": customers, "keys": wanted})
        take_rows(cursor, accounts=accounts)
    load_where_needed(accounts=accounts, lapsing=lapsing, now=now)


def take_rows(rows: Iterable[Sequence[Any]], *, accounts: LockedAccounts) -> None:
    """Put grants and known keys, as the statements above give them, into their accounts."""
    for (
        ref,
        customer_id,
        amount,
        remaining,
        priority,
        expires_at,
        payment_id,
        period_id,
        entry_id,
        key,
        digest,
    ) in rows:
        account = accounts[customer_id]
        if key is not None:
            account.known_keys[key] = KnownEntry(ref, digest)
            continue
        account.grants.append(Grant(ref, amount, remaining, priority, expires_at, entry_id, payment_id, period_id))


def load_where_needed(*, accounts: LockedAccounts, lapsing: Collection[int], now: datetime) -> None:
    """Load uncovered parts of who is in debt and, where a loaded grant has lapsed, the open holds that may keep it."""
    if in_debt := [account.customer_id for account in accounts.values() if account.posted < 0]:
        _load_uncovered(accounts=accounts, customer_ids=in_debt)
    if lapsed := [id_ for id_ in lapsing if any(grant.has_lapsed(now) for grant in accounts[id_].grants)]:
        load_open_holds(accounts=accounts, customer_ids=lapsed)


def load_open_holds(*, accounts: LockedAccounts, customer_ids: Collection[int]) -> None:
    """Load the open holds of some of the locked accounts. Again, it changes nothing."""
    for customer_id in customer_ids:
        accounts[customer_id].open_holds = []
    for hold in CreditHold.objects.filter(customer_id__in=customer_ids, state=HoldState.OPEN).order_by("pk"):
        accounts[hold.customer_id].open_holds.append(hold_shape(hold))


def hold_shape(hold: CreditHold) -> Hold:
    """A hold's row as the planner sees it."""
    return Hold(
        ref=hold.pk,
        public_id=hold.public_id,
        amount=hold.amount,
        state=HoldState(hold.state),
        placed_at=hold.placed_at,
        expires_at=hold.expires_at,
        ended_at=hold.ended_at,
        settled_amount=hold.settled_amount,
        is_late=hold.is_late,
    )


def load_history(*, accounts: LockedAccounts, postings: Sequence[Posting], now: datetime) -> None:
    """Load what returning postings may undo: claw-backs, corrected entries and the grants they drew on.

    Credits may come in or back to a grant that has lapsed, so the open holds that keep it are loaded as well.
    """
    lapsed = {posting.customer_id for posting in postings if posting.expires_at and posting.expires_at <= now}
    lapsed |= {posting.customer_id for posting in postings if posting.kind in RETURNS}
    if keeping := [customer_id for customer_id in lapsed if accounts[customer_id].held]:
        load_open_holds(accounts=accounts, customer_ids=keeping)
    returning = [posting for posting in postings if posting.kind in RETURNS and posting.amount > 0]
    if not returning:
        return
    customer_ids = {posting.customer_id for posting in returning}
    corrected = [ref for posting in returning for ref in (posting.corrects_id, *posting.on_top_ids) if ref]
    claw_backs = LedgerEntry.objects.filter(customer_id__in=customer_ids, kind__in=list(UNDONE_BY_MONEY))
    chosen = claw_backs | LedgerEntry.objects.filter(customer_id__in=customer_ids, pk__in=corrected)
    past_entries = {
        entry.pk: accounts[entry.customer_id].past_entries.setdefault(
            entry.pk,
            PastEntry(entry.pk, EntryKind(entry.kind), entry.amount, entry.payment_id, entry.plan_period_id),
        )
        for entry in chosen.filter(amount__lt=0).order_by("customer_id", "sequence")
    }
    for row in GrantAllocation.objects.filter(entry_id__in=past_entries).order_by("pk"):
        past_entries[row.entry_id].replay(grant_ref=row.grant_id, amount=row.amount, kind=AllocationKind(row.kind))
    _load_closed_grants(accounts=accounts, customer_ids=customer_ids)


def _load_closed_grants(*, accounts: LockedAccounts, customer_ids: Collection[int]) -> None:
    wanted: set[int] = set()
    for customer_id in customer_ids:
        account = accounts[customer_id]
        payments = {past.payment_id for past in account.past_entries.values() if past.payment_id}
        wanted |= {ref for past in account.past_entries.values() for ref, _ in past.drawn}
        wanted |= set(CreditGrant.objects.filter(payment_id__in=payments).values_list("pk", flat=True))
        wanted -= {grant.ref for grant in account.grants}
    for row in CreditGrant.objects.filter(pk__in=wanted):
        accounts[row.customer_id].grants.append(
            Grant(
                row.pk,
                row.amount,
                row.remaining,
                row.priority,
                row.expires_at,
                row.entry_id,
                row.payment_id,
                row.plan_period_id,
            )
        )
    for customer_id in customer_ids:
        accounts[customer_id].sort_grants()


def _load_uncovered(*, accounts: LockedAccounts, customer_ids: list[int]) -> None:
    parts = UncoveredPart.objects.filter(customer_id__in=customer_ids, is_open=True)
    for part in parts.order_by("customer_id", "entry_id"):
        accounts[part.customer_id].uncovered.append(UncoveredEntry(part.entry_id, Decimal(part.amount)))
