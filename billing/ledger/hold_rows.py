"""What placing and ending a hold reads of a locked account, and the row that placing one writes.

Each is one constant statement, sent after the one that locks (`locking.py`), never the same.
"""

from datetime import datetime
from functools import cache

from django.db import connection
from psycopg.types.numeric import Int8

from billing.ledger.locking import LOAD_ONE, LockedAccounts, load_where_needed, take_rows
from billing.ledger.shapes import Account, Grant, KnownEntry
from billing.models import CreditHold
from billing.models.rows import Rows

_HOLDS = Rows(CreditHold)
# The open grants, and the hold that a key names already.
_LOAD_TO_PLACE = LOAD_ONE.replace("billing_ledgerentry", "billing_credithold")
_PLACE = """
    WITH balance AS (UPDATE billing_creditbalance SET held = %(held)s WHERE customer_id = %(customer)s)
    INSERT INTO billing_credithold (public_id, customer_id, amount, state, is_late, placed_at, expires_at, placed_by,
        idempotency_key, request_hash, description)
    VALUES (%(public_id)s, %(customer)s, %(amount)s, %(state)s, false, %(placed_at)s, %(expires_at)s, %(placed_by)s,
        %(key)s, %(request_hash)s, %(description)s)
    RETURNING id
"""


def load_to_place(*, accounts: LockedAccounts, key: str, lapsing: set[int], now: datetime) -> KnownEntry | None:
    """Load what a locked account has; gives the id and the hash of the hold that the key names already."""
    (account,) = accounts.values()
    with connection.cursor() as cursor:
        cursor.execute(_LOAD_TO_PLACE, {"customer": Int8(account.customer_id), "key": key})
        take_rows(cursor, accounts=accounts)
    load_where_needed(accounts=accounts, lapsing=lapsing, now=now)
    return account.known_keys.pop(key, None)  # no entry's key


def load_to_end(*, accounts: LockedAccounts, public_id: str, lapsing: set[int], now: datetime) -> CreditHold:
    """Load what a locked account has, and the entry that its hold was settled by; gives the hold's row."""
    (account,) = accounts.values()
    with connection.cursor() as cursor:
        cursor.execute(_load_to_end(), [public_id])
        found = cursor.fetchall()
    hold = _HOLDS.read(found[0][: _HOLDS.width])
    key, settled_by, digest = found[0][_HOLDS.width : _HOLDS.width + 3]
    if settled_by is not None:
        account.known_keys[key] = KnownEntry(settled_by, digest)
    lots = (row[_HOLDS.width + 3 :] for row in found)
    account.grants += [Grant(*lot) for lot in lots if lot[0] is not None]
    load_where_needed(accounts=accounts, lapsing=lapsing, now=now)
    return hold


def insert_hold(*, hold: CreditHold, account: Account) -> None:
    """Write a new hold, which gets its id, and what its balance sets aside."""
    parameters = {
        "held": account.held,
        "customer": Int8(hold.customer_id),
        "public_id": hold.public_id,
        "amount": hold.amount,
        "state": hold.state,
        "placed_at": hold.placed_at,
        "expires_at": hold.expires_at,
        "placed_by": hold.placed_by,
        "key": hold.idempotency_key,
        "request_hash": hold.request_hash,
        "description": hold.description,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PLACE, parameters)
        (hold.pk,) = cursor.fetchone()
    hold._state.adding, hold._state.db = False, connection.alias


@cache
def _load_to_end() -> str:
    """The hold, the entry that settled it and the open grants in burn-down order: one row for each grant, or one."""
    return f"""
        SELECT {_HOLDS.columns("hold")}, 'hold:' || hold.id, entry.id, entry.request_hash,
            lot.id, lot.amount, lot.remaining, lot.priority, lot.expires_at, lot.entry_id, lot.payment_id,
            lot.plan_period_id
        FROM billing_credithold AS hold
        LEFT JOIN billing_ledgerentry AS entry
            ON entry.customer_id = hold.customer_id AND entry.idempotency_key = 'hold:' || hold.id
        LEFT JOIN billing_creditgrant AS lot ON lot.customer_id = hold.customer_id AND lot.is_open
        WHERE hold.public_id = %s
        ORDER BY lot.priority, lot.expires_at ASC NULLS LAST, lot.id
    """  # noqa: S608  # names of ours only
