"""Writes a plan by one statement, however many customers it moves.

Each part of the plan is one JSON parameter that PostgreSQL reads as rows. Entries are inserted plainly: a repeated key
must fail loudly, because skipping the entry would still move the balance. Rows get their ids in the order of the plan,
whatever joins the database chooses: ids tell which grant is the oldest and which allocation the newest.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from django.db import connection, transaction

from billing import wake
from billing.ledger.shapes import Account
from billing.ledger.writing_one_debit import is_one_debit, write_one_debit

EntryIds = dict[tuple[int, int], int]
"""The id of each new entry by (customer id, sequence)."""

Rows = dict[str, list[dict[str, Any]]]
"""The rows of each part of the statement. What is left out of a row is NULL there, or the column's usual value."""

_RARELY_SET = (
    "description",
    "payment_id",
    "plan_period_id",
    "hold_id",
    "corrects_id",
    "is_late",
    "source_type",
    "source_id",
)
_PARTS = {
    "entries": """entries AS (
        INSERT INTO billing_ledgerentry (customer_id, sequence, kind, amount, balance_after, idempotency_key,
            request_hash, description, occurred_at, created_at, payment_id, plan_period_id, hold_id, corrects_id,
            is_late, source_type, source_id)
        SELECT customer_id, sequence, kind, amount, balance_after, key, request_hash, coalesce(description, ''),
            coalesce(occurred_at, %(now)s), %(now)s, payment_id, plan_period_id, hold_id, corrects_id,
            coalesce(is_late, false), coalesce(source_type, ''), coalesce(source_id, '')
        FROM json_to_recordset(%(entries)s::json) AS x(customer_id bigint, sequence bigint, kind text, amount numeric,
            balance_after numeric, key text, request_hash text, description text, occurred_at timestamptz,
            payment_id bigint, plan_period_id bigint, hold_id bigint, corrects_id bigint, is_late boolean,
            source_type text, source_id text)
        ORDER BY customer_id, sequence
        RETURNING id, customer_id, sequence)""",
    "grants": """grants AS (
        INSERT INTO billing_creditgrant (customer_id, entry_id, payment_id, plan_period_id, kind, amount, remaining,
            priority, expires_at, is_open, cost_minor, currency, created_at)
        SELECT x.customer_id, entries.id, x.payment_id, x.plan_period_id, x.kind, x.amount, x.remaining, x.priority,
            x.expires_at, x.remaining > 0, coalesce(x.cost_minor, 0), coalesce(x.currency, ''), %(now)s
        FROM json_to_recordset(%(grants)s::json) AS x(customer_id bigint, sequence bigint, payment_id bigint,
            plan_period_id bigint, kind text, amount numeric, remaining numeric, priority smallint,
            expires_at timestamptz, cost_minor bigint, currency text)
        JOIN entries ON entries.customer_id = x.customer_id AND entries.sequence = x.sequence
        ORDER BY x.customer_id, x.sequence
        RETURNING id, entry_id)""",
    "grant_changes": """grant_changes AS (
        UPDATE billing_creditgrant AS g
        SET remaining = x.remaining, is_open = x.remaining > 0, expires_at = x.expires_at
        FROM json_to_recordset(%(grant_changes)s::json) AS x(id bigint, remaining numeric, expires_at timestamptz)
        WHERE g.id = x.id)""",
    "uncovered": """uncovered AS (
        INSERT INTO billing_uncoveredpart (entry_id, customer_id, amount, is_open)
        SELECT coalesce(x.entry_id, e.id), x.customer_id, x.amount, x.amount > 0
        FROM json_to_recordset(%(uncovered)s::json) AS x(customer_id bigint, entry_id bigint, sequence bigint,
            amount numeric)
        LEFT JOIN entries e ON e.customer_id = x.customer_id AND e.sequence = x.sequence
        ON CONFLICT (entry_id) DO UPDATE SET amount = EXCLUDED.amount, is_open = EXCLUDED.is_open)""",
    "holds": """holds AS (
        UPDATE billing_credithold AS h
        SET state = x.state, settled_amount = x.settled_amount, is_late = x.is_late, ended_at = x.ended_at
        FROM json_to_recordset(%(holds)s::json) AS x(id bigint, state text, settled_amount numeric, is_late boolean,
            ended_at timestamptz)
        WHERE h.id = x.id)""",
    "balances": """balances AS (
        UPDATE billing_creditbalance AS b
        SET posted = x.posted, held = x.held, last_sequence = x.last_sequence, next_expiry_at = x.next_expiry_at,
            top_up_due_at = x.top_up_due_at
        FROM json_to_recordset(%(balances)s::json) AS x(customer_id bigint, posted numeric, held numeric,
            last_sequence bigint, next_expiry_at timestamptz, top_up_due_at timestamptz)
        WHERE b.customer_id = x.customer_id)""",
}
_NO_NEW_GRANTS = "grants AS (SELECT NULL::bigint AS id, NULL::bigint AS entry_id WHERE false)"
_NO_NEW_ENTRIES = (
    "entries AS (SELECT NULL::bigint AS id, NULL::bigint AS customer_id, NULL::bigint AS sequence WHERE false)"
)
_ALLOCATIONS = """allocations AS (
    INSERT INTO billing_grantallocation (entry_id, grant_id, amount, kind, cause_id)
    SELECT coalesce(x.entry_id, e.id), coalesce(x.grant_id, g.id), x.amount, x.kind, cause.id
    FROM ROWS FROM (json_to_recordset(%(allocations)s::json) AS (customer_id bigint, entry_id bigint, sequence bigint,
        grant_id bigint, grant_sequence bigint, amount numeric, kind text, cause_sequence bigint)) WITH ORDINALITY
        AS x(customer_id, entry_id, sequence, grant_id, grant_sequence, amount, kind, cause_sequence, position)
    JOIN entries cause ON cause.customer_id = x.customer_id AND cause.sequence = coalesce(x.cause_sequence, x.sequence)
    LEFT JOIN entries e ON e.customer_id = x.customer_id AND e.sequence = x.sequence
    LEFT JOIN (grants g JOIN entries ge ON ge.id = g.entry_id)
        ON ge.customer_id = x.customer_id AND ge.sequence = x.grant_sequence
    ORDER BY x.position)"""


def write_plan(*, accounts: Iterable[Account], now: datetime) -> EntryIds:
    """Write what was planned on locked accounts; gives the ids of the new entries."""
    accounts = list(accounts)
    for account in accounts:
        if account.asks_for_top_up:  # the mark is written with the balance; this only saves the sweeper's wait
            transaction.on_commit(partial(_wake_top_up, account.customer_id))
    if len(accounts) == 1 and is_one_debit(accounts[0]):
        return write_one_debit(account=accounts[0], now=now)
    rows = _rows(accounts=accounts, now=now)
    parts = tuple(name for name, part_rows in rows.items() if part_rows)
    if not parts:
        return {}
    with connection.cursor() as cursor:
        parameters: dict[str, str | datetime] = {name: json.dumps(rows[name], default=str) for name in parts}
        parameters["now"] = now
        cursor.execute(statement_of(parts), parameters)
        return {(customer_id, sequence): entry_id for customer_id, sequence, entry_id in cursor.fetchall()}


def _wake_top_up(customer_id: int) -> None:
    wake.wake_task(name=wake.TOP_UP, arguments=(customer_id,))


@lru_cache(maxsize=64)
def statement_of(parts: tuple[str, ...]) -> str:
    """The one statement for the parts that a plan has; its text is constant for each set, so it stays prepared."""
    ctes = [_PARTS["entries"] if "entries" in parts else _NO_NEW_ENTRIES]
    if "allocations" in parts:
        ctes.append(_PARTS["grants"] if "grants" in parts else _NO_NEW_GRANTS)
        ctes.append(_ALLOCATIONS)
    elif "grants" in parts:
        ctes.append(_PARTS["grants"])
    ctes += [_PARTS[name] for name in ("grant_changes", "uncovered", "holds", "balances") if name in parts]
    return f"WITH {', '.join(ctes)} SELECT customer_id, sequence, id FROM entries"  # noqa: S608  # constant texts only


def _rows(*, accounts: Iterable[Account], now: datetime) -> Rows:
    rows: Rows = {
        name: [] for name in ("entries", "grants", "allocations", "grant_changes", "uncovered", "holds", "balances")
    }
    for account in accounts:
        _add_entries(rows, account, now)
        _add_grants(rows, account)
        _add_allocations(rows, account)
        rows["holds"] += [
            {
                "id": hold.ref,
                "state": hold.state,
                "settled_amount": hold.settled_amount,
                "is_late": hold.is_late,
                "ended_at": hold.ended_at,
            }
            for hold in account.ended_holds
        ]
        rows["balances"].append(
            {
                "customer_id": account.customer_id,
                "posted": account.posted,
                "held": account.held,
                "last_sequence": account.last_sequence,
                "next_expiry_at": account.next_expiry_at(),
                "top_up_due_at": account.top_up_due_at,
            }
        )
    return rows


def _add_entries(rows: Rows, account: Account, now: datetime) -> None:
    for entry in account.entries:
        row: dict[str, Any] = {
            "customer_id": account.customer_id,
            "sequence": entry.sequence,
            "kind": entry.kind,
            "amount": entry.amount,
            "balance_after": entry.balance_after,
            "key": entry.key,
            "request_hash": entry.request_hash,
        }
        if entry.occurred_at is not now:
            row["occurred_at"] = entry.occurred_at
        for name in _RARELY_SET:
            if value := getattr(entry, name):
                row[name] = value
        rows["entries"].append(row)


def _add_grants(rows: Rows, account: Account) -> None:
    for new in account.new_grants:
        rows["grants"].append(
            {
                "customer_id": account.customer_id,
                "sequence": -new.grant.ref,
                "payment_id": new.grant.payment_id,
                "plan_period_id": new.grant.plan_period_id,
                "kind": new.kind,
                "amount": new.grant.amount,
                "remaining": new.grant.remaining,
                "priority": new.grant.priority,
                "expires_at": new.grant.expires_at,
                "cost_minor": new.cost_minor,
                "currency": new.currency,
            }
        )
    for grant in account.grants:
        if grant.is_changed and grant.ref > 0:
            rows["grant_changes"].append(
                {"id": grant.ref, "remaining": grant.remaining, "expires_at": grant.expires_at}
            )
    for part in account.uncovered:
        if part.is_changed:
            row = {"customer_id": account.customer_id, "amount": part.amount}
            rows["uncovered"].append(row | _by_id_or_sequence(part.entry_ref, "entry_id", "sequence"))


def _add_allocations(rows: Rows, account: Account) -> None:
    for allocation in account.allocations:
        row: dict[str, Any] = {
            "customer_id": account.customer_id,
            "amount": allocation.amount,
            "kind": allocation.kind,
            **_by_id_or_sequence(allocation.entry_ref, "entry_id", "sequence"),
        }
        if allocation.grant_ref is not None:
            row |= _by_id_or_sequence(allocation.grant_ref, "grant_id", "grant_sequence")
        if allocation.cause_ref != allocation.entry_ref:
            row["cause_sequence"] = -allocation.cause_ref
        rows["allocations"].append(row)


def _by_id_or_sequence(ref: int, id_name: str, sequence_name: str) -> dict[str, int]:
    """A row that exists by its id, a new one by the sequence of its entry."""
    return {id_name: ref} if ref > 0 else {sequence_name: -ref}
