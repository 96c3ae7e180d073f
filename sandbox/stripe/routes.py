"""Which function answers which call of the API.

A line is all that a new object needs here; the contract already knows its parameters and its fields.
"""

from collections.abc import Callable

from sandbox.stripe.calls import Call
from sandbox.stripe.objects import (
    balance_transactions,
    charges,
    checkout_sessions,
    customers,
    events,
    invoices,
    payment_intents,
    payment_methods,
    prices,
    products,
    webhook_endpoints,
)
from sandbox.stripe.records import Resource

ROUTES: dict[tuple[str, str], Callable[[Call], Resource]] = {
    ("get", "/v1/balance_transactions"): balance_transactions.list_balance_transactions,
    ("get", "/v1/balance_transactions/{id}"): balance_transactions.retrieve_balance_transaction,
    ("get", "/v1/charges"): charges.list_charges,
    ("get", "/v1/charges/{charge}"): charges.retrieve_charge,
    ("post", "/v1/charges/{charge}"): charges.update_charge,
    ("get", "/v1/checkout/sessions"): checkout_sessions.list_sessions,
    ("post", "/v1/checkout/sessions"): checkout_sessions.create_session,
    ("get", "/v1/checkout/sessions/{session}"): checkout_sessions.retrieve_session,
    ("post", "/v1/checkout/sessions/{session}"): checkout_sessions.update_session,
    ("post", "/v1/checkout/sessions/{session}/expire"): checkout_sessions.expire_session_call,
    ("get", "/v1/checkout/sessions/{session}/line_items"): checkout_sessions.list_session_line_items,
    ("get", "/v1/customers"): customers.list_customers,
    ("post", "/v1/customers"): customers.create_customer,
    ("get", "/v1/customers/{customer}"): customers.retrieve_customer,
    ("post", "/v1/customers/{customer}"): customers.update_customer,
    ("delete", "/v1/customers/{customer}"): customers.delete_customer,
    ("get", "/v1/events"): events.list_events,
    ("get", "/v1/events/{id}"): events.retrieve_event,
    ("get", "/v1/invoice_payments"): invoices.list_invoice_payments,
    ("get", "/v1/invoice_payments/{invoice_payment}"): invoices.retrieve_invoice_payment,
    ("get", "/v1/invoices"): invoices.list_invoices,
    ("get", "/v1/invoices/{invoice}"): invoices.retrieve_invoice,
    ("get", "/v1/invoices/{invoice}/lines"): invoices.list_invoice_lines,
    ("get", "/v1/payment_intents"): payment_intents.list_payment_intents,
    ("get", "/v1/payment_intents/{intent}"): payment_intents.retrieve_payment_intent,
    ("post", "/v1/payment_intents/{intent}"): payment_intents.update_payment_intent,
    ("get", "/v1/payment_methods/{payment_method}"): payment_methods.retrieve_payment_method,
    ("get", "/v1/prices"): prices.list_prices,
    ("post", "/v1/prices"): prices.create_price,
    ("get", "/v1/prices/{price}"): prices.retrieve_price,
    ("post", "/v1/prices/{price}"): prices.update_price,
    ("get", "/v1/products"): products.list_products,
    ("post", "/v1/products"): products.create_product,
    ("get", "/v1/products/{id}"): products.retrieve_product,
    ("post", "/v1/products/{id}"): products.update_product,
    ("delete", "/v1/products/{id}"): products.delete_product,
    ("get", "/v1/webhook_endpoints"): webhook_endpoints.list_webhook_endpoints,
    ("post", "/v1/webhook_endpoints"): webhook_endpoints.create_webhook_endpoint,
    ("get", "/v1/webhook_endpoints/{webhook_endpoint}"): webhook_endpoints.retrieve_webhook_endpoint,
    ("post", "/v1/webhook_endpoints/{webhook_endpoint}"): webhook_endpoints.update_webhook_endpoint,
    ("delete", "/v1/webhook_endpoints/{webhook_endpoint}"): webhook_endpoints.delete_webhook_endpoint,
}
