"""A payload of each event that is mailed, as docs/notices.md describes it."""

from typing import Any

from billing.notice_kinds import NoticeEvent

_BALANCE = {
    "available": "42.500000",
    "posted": "42.500000",
    "held": "0.000000",
    "threshold": "100.000000",
    "debt": "0.000000",
}
_MONEY = {"amount_minor": 1900, "currency": "usd"}
_PAYMENT = {"payment": "pay_123", "description": "10,000 credits", **_MONEY}
_PLAN = {"subscription": "sub_1", "plan": "Pro", **_MONEY}
PAYLOADS: dict[NoticeEvent, dict[str, Any]] = {
    NoticeEvent.BALANCE_LOW: _BALANCE,
    NoticeEvent.BALANCE_DEPLETED: {**_BALANCE, "available": "0.000000", "posted": "0.000000"},
    NoticeEvent.BALANCE_DEBT: {**_BALANCE, "posted": "-12.000000", "available": "0.000000", "debt": "12.000000"},
    NoticeEvent.CREDITS_EXPIRING: {
        "kind": "promotion",
        "amount": "500.000000",
        "expires_at": "2026-12-24T12:00:00+00:00",
        "days": 7,
    },
    NoticeEvent.PAYMENT_RECEIPT: {**_PAYMENT, "tax_minor": 300, "credits": "10500.000000", "kind": "pack"},
    NoticeEvent.PAYMENT_FAILED: {**_PAYMENT, "reason": "The bank declined it."},
    NoticeEvent.PAYMENT_REFUNDED: {**_PAYMENT, "refunded_minor": 2400, "credit_note": None, "to_balance_minor": 0},
    NoticeEvent.PAYMENT_DISPUTED: {**_PAYMENT, "dispute": "dp_1", "status": "opened", "frozen": True},
    NoticeEvent.TOP_UP_FAILED: {
        "payment": "pay_123",
        **_MONEY,
        "credits": "10500.000000",
        "reason": "The card was declined.",
        "retry_at": "2026-11-28T14:00:00+00:00",
    },
    NoticeEvent.TOP_UP_PAUSED: {"reason": "A payment was refunded."},
    NoticeEvent.TOP_UP_AUTHENTICATION_NEEDED: {
        "payment": "pay_123",
        **_MONEY,
        "credits": "10500.000000",
        "url": "/billing/top-up/pay_123/",
    },
    NoticeEvent.TOP_UP_TURNED_OFF: {"reason": "Your card was declined three times in a row."},
    NoticeEvent.SUBSCRIPTION_UPDATED: {
        **_PLAN,
        "previous_plan": "Free",
        "next_plan": None,
        "status": "active",
        "change": "upgraded",
        "interval": "month",
        "period_end": "2026-12-28T12:00:00+00:00",
        "cancel_at": None,
    },
    NoticeEvent.SUBSCRIPTION_CANCELED: {
        "subscription": "sub_1",
        "plan": "Pro",
        "ended_at": "2026-12-28T12:00:00+00:00",
        "free_from": "2026-12-28T12:00:00+00:00",
    },
    NoticeEvent.SUBSCRIPTION_TRIAL_ENDING: {**_PLAN, "trial_end": "2026-12-01T12:00:00+00:00"},
    NoticeEvent.SUBSCRIPTION_PAYMENT_FAILED: {
        **_PLAN,
        "invoice": "INV-0001",
        "reason": "",
        "next_try_at": "2026-12-01T12:00:00+00:00",
        "action_needed": False,
        "url": "https://invoice.stripe.com/i/1",
    },
    NoticeEvent.KEY_CREATED: {
        "key": "k3y",
        "name": "Build server",
        "shown": "ppk_test_k3y…9f2a",
        "scopes": ["read", "spend"],
        "created_by_customer": True,
        "replaces": None,
    },
    NoticeEvent.WEBHOOK_ADDED: {
        "endpoint": "whe_1",
        "host": "hooks.example.com",
        "events": ["balance.low", "credits.granted"],
    },
    NoticeEvent.WEBHOOK_ROTATED: {"endpoint": "whe_1", "host": "hooks.example.com"},
    NoticeEvent.ADJUSTMENT_MADE: {
        "adjustment": "adj_1",
        "amount": "-25.000000",
        "balance_after": "475.000000",
        "reason": "Counted twice",
    },
}
