"""Which part of Stripe's API the contract covers."""

import re

_PATHS = (
    r"/v1/checkout/sessions(/\{\w+\}(/expire|/line_items)?)?",
    r"/v1/billing_portal/(sessions|configurations(/\{\w+\})?)",
    r"/v1/customers(/\{\w+\})?",
    r"/v1/customers/\{\w+\}/payment_methods(/\{\w+\})?",
    r"/v1/customers/\{\w+\}/tax_ids(/\{\w+\})?",
    r"/v1/customers/\{\w+\}/balance_transactions(/\{\w+\})?",
    r"/v1/customer_sessions",
    r"/v1/products(/\{\w+\})?",
    r"/v1/prices(/\{\w+\})?",
    r"/v1/payment_intents(/\{\w+\}(/confirm|/cancel|/capture)?)?",
    r"/v1/setup_intents(/\{\w+\}(/confirm|/cancel)?)?",
    r"/v1/payment_methods(/\{\w+\}(/attach|/detach)?)?",
    r"/v1/charges(/\{\w+\})?",
    r"/v1/refunds(/\{\w+\}(/cancel)?)?",
    r"/v1/disputes(/\{\w+\}(/close)?)?",
    r"/v1/radar/early_fraud_warnings(/\{\w+\})?",
    r"/v1/balance",
    r"/v1/balance_transactions(/\{\w+\})?",
    r"/v1/events(/\{\w+\})?",
    r"/v1/subscriptions(/\{\w+\}(/resume)?)?",
    r"/v1/subscription_items(/\{\w+\})?",
    r"/v1/invoices(/\{\w+\}(/pay|/finalize|/void|/mark_uncollectible|/lines)?)?",
    r"/v1/invoices/create_preview",
    r"/v1/invoice_payments(/\{\w+\})?",
    r"/v1/invoiceitems(/\{\w+\})?",
    r"/v1/credit_notes(/\{\w+\}(/void|/lines)?)?",
    r"/v1/webhook_endpoints(/\{\w+\})?",
    r"/v1/coupons(/\{\w+\})?",
    r"/v1/promotion_codes(/\{\w+\})?",
    r"/v1/billing/credit_(grants(/\{\w+\}(/expire|/void)?)?|balance_summary)",
    r"/v1/test_helpers/test_clocks(/\{\w+\}(/advance)?)?",
)
WANTED_PATH = re.compile("^(" + "|".join(_PATHS) + ")$")

# Rendered with all their fields; any other resource that is reached becomes an open object with id and object.
FULL_RESOURCES = frozenset(
    [
        "checkout.session",
        "billing_portal.session",
        "billing_portal.configuration",
        "customer",
        "product",
        "price",
        "payment_intent",
        "setup_intent",
        "payment_method",
        "charge",
        "refund",
        "dispute",
        "radar.early_fraud_warning",
        "balance",
        "balance_transaction",
        "event",
        "subscription",
        "subscription_item",
        "invoice",
        "invoice_payment",
        "invoiceitem",
        "credit_note",
        "credit_note_line_item",
        "line_item",
        "item",
        "webhook_endpoint",
        "coupon",
        "promotion_code",
        "discount",
        "billing.credit_grant",
        "billing.credit_balance_summary",
        "customer_balance_transaction",
        "customer_session",
        "test_helpers.test_clock",
        "tax_rate",
        "tax_id",
    ]
)

# One large bag per payment method each: left open, because nothing of ours depends on what is inside.
OPENED_FIELDS = frozenset(
    [
        "payment_method_options",
        "payment_method_data",
        "payment_method_details",
        "enhanced_evidence",
        "enhanced_eligibility",
        "next_action",
        "features_full",
    ]
)

ERROR_FIELDS = (
    "type",
    "code",
    "message",
    "param",
    "decline_code",
    "doc_url",
    "request_log_url",
    "charge",
    "advice_code",
    "network_decline_code",
)

# What an error carries whole: the objects of a payment that failed.
ERROR_OBJECTS = ("payment_intent", "payment_method")
