"""Balance and ledger in the schema. Importing this enters them."""

from __future__ import annotations

from billing.api.balance import CustomerBalance
from billing.api.ledger_entries import LedgerEntries, LedgerEntryFilter, OneLedgerEntry
from billing.api.lists import CursorQuery
from billing.api.schema import shapes
from billing.api.schema.examples import ENTRY, LIST
from billing.api.schema.operations import Operation, describe
from billing.api.staff_entries import EntriesQuery, StaffLedgerEntries

describe(
    CustomerBalance,
    get=Operation(
        name="read_balance",
        tag="Balance and ledger",
        summary="What the customer has",
        description="The balance, the last five entries of the ledger, and when credits expire next. Whoever asks "
        "often sends the answer's `ETag` back as `If-None-Match`, and gets 304 while nothing has changed.",
        answers={200: shapes.Balance},
        example={
            "object": "balance",
            "posted": "1000.000000",
            "held": "40.000000",
            "available": "960.000000",
            "debt": "0.000000",
            "frozen": False,
            "low": False,
            "next_expiry": {"amount": "500.000000", "at": "2027-02-18T12:00:00.000000Z"},
            "recent_entries": [ENTRY],
        },
        headers=("ETag",),
    ),
)
describe(
    LedgerEntries,
    get=Operation(
        name="list_ledger_entries",
        tag="Balance and ledger",
        summary="The customer's ledger",
        description="Entries, newest first. For the next page send the last row's `id` as `starting_after`.",
        answers={200: shapes.LedgerEntryList},
        example={**LIST, "url": "/api/v1/ledger-entries", "data": [ENTRY]},
        query=CursorQuery,
        filters=LedgerEntryFilter,
    ),
)
describe(
    OneLedgerEntry,
    get=Operation(
        name="read_ledger_entry",
        tag="Balance and ledger",
        summary="One entry of the ledger",
        description="Entries of other customers do not exist here.",
        answers={200: shapes.LedgerEntry},
        example=ENTRY,
        path={
            "entry": {"type": "string", "minLength": 1, "pattern": "^[0-9A-Za-z_]+$", "description": "Its id: `led_…`."}
        },
    ),
)
describe(
    StaffLedgerEntries,
    get=Operation(
        name="list_all_ledger_entries",
        tag="Staff",
        summary="The ledger of one customer or of all",
        description="Entries, newest first; `since` is inclusive, `until` exclusive, both on when it happened.",
        answers={200: shapes.LedgerEntryList},
        example={**LIST, "url": "/api/v1/admin/ledger-entries", "data": [ENTRY]},
        query=EntriesQuery,
        problems=(404,),
        takes_customer=False,
    ),
)
