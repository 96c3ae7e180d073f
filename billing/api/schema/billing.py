"""The endpoints of billing in the schema. Importing this enters them."""

from __future__ import annotations

from typing import Any, Final

from billing.api.balance import CustomerBalance
from billing.api.checkout_sessions import CheckoutBody, CheckoutSessions
from billing.api.customers import CustomerBody, Customers, OneCustomer
from billing.api.debits import DebitBody, Debits
from billing.api.holds import HoldBody, Holds, OneHold, ReleaseHold, SettleBody, SettleHold
from billing.api.ledger_entries import LedgerEntries, LedgerEntryFilter, OneLedgerEntry
from billing.api.lists import CursorQuery, ListQuery
from billing.api.packs import CreditPacks
from billing.api.parsing import StrictSerializer
from billing.api.schema import shapes
from billing.api.schema.operations import Operation, describe
from billing.api.staff_credits import CreditsBody, StaffCredits
from billing.api.staff_entries import EntriesQuery, StaffLedgerEntries

CUSTOMER_ID: Final = "cust_1x3z5b7d9f1h3k5n7q9s"
_HOLD_ID: Final = "hold_0v8k2m4q6s8w0y2a4c6e"
_AT: Final = "2026-11-20T12:00:00.000000Z"
_ENTRY: Final[dict[str, Any]] = {
    "id": "led_1x3z5b7d9f1h3k5n7q9s_8",
    "object": "ledger_entry",
    "customer": CUSTOMER_ID,
    "sequence": 8,
    "kind": "usage",
    "amount": "-2.500000",
    "balance_after": "997.500000",
    "description": "Image described",
    "payment": None,
    "hold": None,
    "occurred_at": _AT,
    "created_at": _AT,
}
_HOLD: Final[dict[str, Any]] = {
    "id": _HOLD_ID,
    "object": "hold",
    "customer": CUSTOMER_ID,
    "amount": "40.000000",
    "state": "open",
    "settled_amount": None,
    "is_late": False,
    "description": "Summary",
    "placed_at": _AT,
    "expires_at": "2026-11-20T12:15:00.000000Z",
    "ended_at": None,
}
_HOLD_PATH: Final = {"hold": {"type": "string", "minLength": 1, "pattern": "^[0-9A-Za-z_-]+$", "description": "Its id."}}
_LIST: Final = {"object": "list", "has_more": False}

describe(
    CustomerBalance,
    get=Operation(
        name="read_balance",
        tag="Balance and ledger",
        summary="What the customer has",
        description="The balance, the last five entries of the ledger, and when credits expire next. Whoever asks often "
        "sends the answer's `ETag` back as `If-None-Match`, and gets 304 while nothing has changed.",
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
            "recent_entries": [_ENTRY],
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
        example={**_LIST, "url": "/api/v1/ledger-entries", "data": [_ENTRY]},
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
        example=_ENTRY,
        path={
            "entry": {"type": "string", "minLength": 1, "pattern": "^[0-9A-Za-z_]+$", "description": "Its id: `led_…`."}
        },
    ),
)
describe(
    Debits,
    post=Operation(
        name="create_debit",
        tag="Spending",
        summary="Spend credits at once",
        description="For work whose price is known. Answers with the entry that takes the credits.",
        answers={201: shapes.LedgerEntry},
        example=_ENTRY,
        body=DebitBody,
        body_example={"amount": "2.5", "description": "Image described"},
        problems=(402,),
        takes_key=True,
        needs_key=True,
    ),
)
describe(
    Holds,
    post=Operation(
        name="create_hold",
        tag="Spending",
        summary="Set credits aside",
        description="For work whose price is known afterwards: hold an estimate, do the work, then settle with what it "
        "cost, or release. The hold belongs to the API key that placed it; left alone, it expires.",
        answers={201: shapes.Hold},
        example=_HOLD,
        body=HoldBody,
        body_example={"amount": "40", "description": "Summary", "expires_in_seconds": 900},
        problems=(402,),
        takes_key=True,
        needs_key=True,
    ),
)
describe(
    OneHold,
    get=Operation(
        name="read_hold",
        tag="Spending",
        summary="One hold",
        description="Only for the API key that placed it: to others it does not exist.",
        answers={200: shapes.Hold},
        example=_HOLD,
        path=_HOLD_PATH,
    ),
)
describe(
    SettleHold,
    post=Operation(
        name="settle_hold",
        tag="Spending",
        summary="Charge what the work cost",
        description="Ends the hold with the true cost: nothing, less or more than was set aside. The work is done, so it "
        "may leave a debt. An expired hold can be settled for 24 hours more, once.",
        answers={200: shapes.Hold},
        example={**_HOLD, "state": "settled", "settled_amount": "31.250000", "ended_at": _AT},
        body=SettleBody,
        body_example={"amount": "31.25", "description": "Summary"},
        path=_HOLD_PATH,
        takes_key=True,
        needs_key=True,
    ),
)
describe(
    ReleaseHold,
    post=Operation(
        name="release_hold",
        tag="Spending",
        summary="Charge nothing",
        description="Ends the hold and gives its credits back. Releasing it again changes nothing.",
        answers={200: shapes.Hold},
        example={**_HOLD, "state": "released", "ended_at": _AT},
        body=StrictSerializer,
        body_example={},
        path=_HOLD_PATH,
        takes_key=True,
    ),
)
describe(
    Customers,
    post=Operation(
        name="create_customer",
        tag="Customers",
        summary="Make a customer of your product",
        description="200 with the customer who has this `external_id` already; an e-mail address that is sent replaces "
        "the one kept. Such customers get no bonus. They spend by `Billing-Customer` on your key's requests.",
        answers={201: shapes.Customer, 200: shapes.Customer},
        example={
            "id": CUSTOMER_ID,
            "object": "customer",
            "external_id": "user-4711",
            "email": "ada@example.com",
            "created_at": _AT,
        },
        body=CustomerBody,
        body_example={"external_id": "user-4711", "email": "ada@example.com"},
        takes_key=True,
        takes_customer=False,
        takes_session=False,
    ),
)
describe(
    OneCustomer,
    get=Operation(
        name="read_customer",
        tag="Customers",
        summary="One customer",
        description="By our id (`cust_…`) or by the `external_id` of your product.",
        answers={200: shapes.Customer},
        example={
            "id": CUSTOMER_ID,
            "object": "customer",
            "external_id": "user-4711",
            "email": None,
            "created_at": _AT,
        },
        path={"customer": {"type": "string", "minLength": 1, "description": "Our id or yours."}},
        takes_customer=False,
        takes_session=False,
    ),
)
describe(
    CreditPacks,
    get=Operation(
        name="list_credit_packs",
        tag="Buying",
        summary="What can be bought",
        description="The packs for sale, in the order of the shop; none where nothing is sold.",
        answers={200: shapes.CreditPackList},
        example={
            **_LIST,
            "url": "/api/v1/credit-packs",
            "data": [
                {
                    "slug": "standard",
                    "object": "credit_pack",
                    "name": "10,000 credits",
                    "description": "For every day",
                    "credits": "10000.000000",
                    "bonus_credits": "500.000000",
                    "price_minor": 1000,
                    "currency": "usd",
                    "lifetime_days": None,
                }
            ],
        },
        query=ListQuery,
        takes_customer=False,
    ),
)
describe(
    CheckoutSessions,
    post=Operation(
        name="create_checkout_session",
        tag="Buying",
        summary="Open a checkout at Stripe",
        description="`client_secret` is for Stripe's script in a page of your own; with `ui_mode` `hosted` the buyer is "
        "sent to `url` instead. The credits come when Stripe says that it was paid.",
        answers={201: shapes.CheckoutSession},
        example={
            "id": "cs_test_a1b2c3",
            "object": "checkout_session",
            "payment": "pay_0v8k2m4q6s8w0y2a4c6e",
            "client_secret": "cs_test_a1b2c3_secret_d4e5f6",
            "url": None,
        },
        body=CheckoutBody,
        body_example={"pack": "standard", "ui_mode": "embedded"},
        problems=(410, 502, 503),
        takes_key=True,
    ),
)
describe(
    StaffCredits,
    post=Operation(
        name="create_adjustment",
        tag="Staff",
        summary="Give, take or write off credits",
        description="201 when it was posted; 202 when it is above the limits and waits for a second person.",
        answers={201: shapes.Adjustment, 202: shapes.Adjustment},
        example={
            "id": "adj_0v8k2m4q6s8w0y2a4c6e",
            "object": "adjustment",
            "customer": CUSTOMER_ID,
            "amount": "250.500000",
            "reason_code": "outage",
            "note": "Our outage on Monday",
            "ticket": "https://desk.example.com/4711",
            "state": "posted",
            "limit_reason": None,
            "decide_until": None,
            "requested_at": _AT,
            "entry": {
                **_ENTRY,
                "kind": "adjustment",
                "amount": "250.500000",
                "balance_after": "750.500000",
                "description": "Our outage on Monday",
            },
        },
        body=CreditsBody,
        body_example={
            "customer": "ada@example.com",
            "amount": "250.5",
            "reason_code": "outage",
            "note": "Our outage on Monday",
            "ticket": "https://desk.example.com/4711",
        },
        problems=(402, 404),
        takes_key=True,
        needs_key=True,
        takes_customer=False,
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
        example={**_LIST, "url": "/api/v1/admin/ledger-entries", "data": [_ENTRY]},
        query=EntriesQuery,
        problems=(404,),
        takes_customer=False,
    ),
)
