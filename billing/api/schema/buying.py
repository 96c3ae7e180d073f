"""Customers and where their credits come from in the schema. Importing this enters them."""

from __future__ import annotations

from typing import Any, Final

from billing.api.checkout_sessions import CheckoutBody, CheckoutSessions
from billing.api.customers import CustomerBody, Customers, OneCustomer
from billing.api.lists import ListQuery
from billing.api.packs import CreditPacks
from billing.api.schema import shapes
from billing.api.schema.examples import AT, CUSTOMER_ID, ENTRY, LIST
from billing.api.schema.operations import Operation, describe
from billing.api.staff_credits import CreditsBody, StaffCredits
from billing.api.vouchers import RedeemBody, RedeemVoucher

_ADJUSTMENT: Final[dict[str, Any]] = {
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
    "requested_at": AT,
    "entry": {
        **ENTRY,
        "kind": "adjustment",
        "amount": "250.500000",
        "balance_after": "750.500000",
        "description": "Our outage on Monday",
    },
}

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
            "created_at": AT,
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
            "created_at": AT,
        },
        path={
            "customer": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                "pattern": "^[!-~]+$",
                "description": "Our id or yours.",
            }
        },
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
            **LIST,
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
    ),
)
describe(
    CheckoutSessions,
    post=Operation(
        name="create_checkout_session",
        tag="Buying",
        summary="Open a checkout at Stripe",
        description="For a `pack` or a `plan`, one of the two. `client_secret` is for Stripe's script in a page of "
        "your own; with `ui_mode` `hosted` the buyer is sent to `url` instead. The credits come when Stripe says that "
        "it was paid.",
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
        problems=(409, 410, 502),
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
        example=_ADJUSTMENT,
        examples={
            202: {
                **_ADJUSTMENT,
                "amount": "25000.000000",
                "state": "waiting",
                "limit_reason": "More than 1,000 credits at once need a second person.",
                "decide_until": "2026-11-21T12:00:00.000000Z",
                "entry": None,
            }
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
    RedeemVoucher,
    post=Operation(
        name="redeem_voucher",
        tag="Buying",
        summary="Redeem a voucher",
        description="Adds the credits of a code. Only for customers with a verified e-mail address of their own, so "
        "not for customers of your product. Codes that bring nothing are counted; after too many the next ones wait.",
        answers={201: shapes.VoucherRedemption},
        example={
            "id": "vr_0v8k2m4q6s8w0y2a4c6e",
            "object": "voucher_redemption",
            "customer": CUSTOMER_ID,
            "credits": "50.000000",
            "expires_at": "2026-12-20T12:00:00.000000Z",
            "redeemed_at": AT,
            "entry": {
                **ENTRY,
                "kind": "voucher",
                "amount": "50.000000",
                "balance_after": "550.000000",
                "description": "Spring fair",
            },
        },
        body=RedeemBody,
        body_example={"code": "7Q2M-XK4T-09HR-VB3E"},
        problems=(403, 404, 409, 410, 429),
        takes_key=True,
        needs_key=True,
    ),
)
