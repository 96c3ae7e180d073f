"""The commonest plan by a statement of its own: one debit of one customer that one grant pays, and its hold's end.

It writes the same rows as the general statement in `writing.py` from plain parameters instead of JSON; a test holds the
two against each other.
"""

from datetime import datetime

from django.db import connection
from psycopg.types.numeric import Int8

from billing.kinds import AllocationKind
from billing.ledger.shapes import Account

# Integers go as bigint whatever their size, so that the statement stays one prepared statement.
WRITE_ONE_DEBIT = """
    WITH entry AS (
        INSERT INTO billing_ledgerentry (customer_id, sequence, kind, amount, balance_after, idempotency_key,
            request_hash, description, occurred_at, created_at, payment_id, plan_period_id, hold_id, corrects_id,
            is_late, source_type, source_id)
        VALUES (%(customer)s, %(sequence)s, %(kind)s, %(amount)s, %(posted)s, %(key)s, %(request_hash)s,
            %(description)s, %(occurred_at)s, %(now)s, %(payment)s, %(plan_period)s, %(hold)s, %(corrects)s,
            %(is_late)s, %(source_type)s, %(source_id)s)
        RETURNING id
    ), drawn AS (
        UPDATE billing_creditgrant SET remaining = %(remaining)s, is_open = %(is_open)s WHERE id = %(grant)s
    ), balance AS (
        UPDATE billing_creditbalance
        SET posted = %(posted)s, held = %(held)s, last_sequence = %(sequence)s, next_expiry_at = %(next_expiry_at)s,
            top_up_due_at = %(top_up_due_at)s
        WHERE customer_id = %(customer)s
    ), allocation AS (
        INSERT INTO billing_grantallocation (entry_id, grant_id, amount, kind, cause_id)
        SELECT id, %(grant)s, %(share)s, 'draw', id FROM entry
    )
    SELECT id FROM entry
"""
WRITE_ONE_SETTLEMENT = WRITE_ONE_DEBIT.replace(
    "WITH entry AS",
    """WITH ended AS (
        UPDATE billing_credithold
        SET state = %(state)s, settled_amount = %(settled_amount)s, is_late = %(is_late)s, ended_at = %(ended_at)s
        WHERE id = %(hold)s
    ), entry AS""",
)


def is_one_debit(account: Account) -> bool:
    """Whether a plan is one new entry that draws on one grant that was there before, at most its hold's end beside."""
    return (
        len(account.entries) == len(account.allocations) == 1
        and account.allocations[0].kind is AllocationKind.DRAW
        and [hold.ref for hold in account.ended_holds] in ([], [account.entries[0].hold_id])
        and not account.new_grants
        and not account.uncovered
        and sum(grant.is_changed for grant in account.grants) == 1
        and not any(grant.has_new_end for grant in account.grants)
    )


def write_one_debit(*, account: Account, now: datetime) -> dict[tuple[int, int], int]:
    """Write such a plan; gives the id of the entry by (customer id, sequence)."""
    entry, allocation = account.entries[0], account.allocations[0]
    grant = next(grant for grant in account.grants if grant.ref == allocation.grant_ref)
    parameters = {
        "customer": Int8(account.customer_id),
        "sequence": Int8(entry.sequence),
        "kind": entry.kind.value,
        "amount": entry.amount,
        "posted": account.posted,
        "held": account.held,
        "key": entry.key,
        "request_hash": entry.request_hash,
        "description": entry.description,
        "occurred_at": entry.occurred_at,
        "now": now,
        "payment": _bigint(entry.payment_id),
        "plan_period": _bigint(entry.plan_period_id),
        "hold": _bigint(entry.hold_id),
        "corrects": _bigint(entry.corrects_id),
        "is_late": entry.is_late,
        "source_type": entry.source_type,
        "source_id": entry.source_id,
        "remaining": grant.remaining,
        "is_open": grant.remaining > 0,
        "grant": Int8(grant.ref),
        "next_expiry_at": account.next_expiry_at(),
        "top_up_due_at": account.top_up_due_at,
        "share": allocation.amount,
    }
    statement = WRITE_ONE_DEBIT
    for ended in account.ended_holds:
        statement = WRITE_ONE_SETTLEMENT
        parameters |= {"state": ended.state.value, "settled_amount": ended.settled_amount, "ended_at": ended.ended_at}
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        (entry_id,) = cursor.fetchone()
    return {(account.customer_id, entry.sequence): entry_id}


def _bigint(value: int | None) -> Int8 | None:
    return None if value is None else Int8(value)
