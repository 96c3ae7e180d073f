"""Debits and holds in the schema. Importing this enters them."""

from __future__ import annotations

from typing import Any, Final

from billing.api.debits import DebitBody, Debits
from billing.api.holds import HoldBody, Holds, OneHold, ReleaseHold, SettleBody, SettleHold
from billing.api.schema import shapes
from billing.api.schema.examples import AT, CUSTOMER_ID, ENTRY
from billing.api.schema.operations import Operation, describe

_HOLD: Final[dict[str, Any]] = {
    "id": "hold_0v8k2m4q6s8w0y2a4c6e",
    "object": "hold",
    "customer": CUSTOMER_ID,
    "amount": "40.000000",
    "state": "open",
    "settled_amount": None,
    "is_late": False,
    "description": "Summary",
    "placed_at": AT,
    "expires_at": "2026-11-20T12:15:00.000000Z",
    "ended_at": None,
}
_HOLD_PATH: Final = {
    "hold": {"type": "string", "minLength": 1, "pattern": "^[0-9A-Za-z_-]+$", "description": "Its id."}
}

describe(
    Debits,
    post=Operation(
        name="create_debit",
        tag="Spending",
        summary="Spend credits at once",
        description="For work whose price is known. Answers with the entry that takes the credits.",
        answers={201: shapes.LedgerEntry},
        example=ENTRY,
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
        description="Ends the hold with the true cost: nothing, less or more than was set aside. The work is done, so "
        "it may leave a debt. An expired hold can be settled for 24 hours more, once.",
        answers={200: shapes.Hold},
        example={**_HOLD, "state": "settled", "settled_amount": "31.250000", "ended_at": AT},
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
        example={**_HOLD, "state": "released", "ended_at": AT},
        body=shapes.NoFields,
        body_example={},
        path=_HOLD_PATH,
        takes_key=True,
    ),
)
