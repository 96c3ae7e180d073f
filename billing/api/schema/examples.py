"""What examples in the schema share."""

from typing import Any, Final

CUSTOMER_ID: Final = "cust_1x3z5b7d9f1h3k5n7q9s"
AT: Final = "2026-11-20T12:00:00.000000Z"
LIST: Final = {"object": "list", "has_more": False}
ENTRY: Final[dict[str, Any]] = {
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
    "occurred_at": AT,
    "created_at": AT,
}
