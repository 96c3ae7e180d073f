"""Customers."""

import re

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event, save_change
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, merge_metadata, new_id, random_word
from sandbox.stripe.store import NOT_DELETED
from sandbox.stripe.subscriptions.balances import move_balance

_PLAIN_FIELDS = ("address", "description", "email", "name", "phone", "preferred_locales", "shipping", "tax_exempt")


def create_customer(call: Call) -> Resource:
    """A new customer."""
    _check_address(call.params.get("address") or {})
    given = {name: value for name, value in call.params.items() if name in _PLAIN_FIELDS}
    if clock_id := call.params.get("test_clock"):
        given["test_clock"] = call.sandbox.require("test_helpers.test_clock", clock_id, param="test_clock")["id"]
    return new_customer(call.sandbox, fields=given, metadata=merge_metadata({}, call.params.get("metadata")))


def new_customer(sandbox: Sandbox, *, fields: Resource, metadata: dict[str, str]) -> Resource:
    """A new customer, made by a request or by a checkout."""
    customer: Resource = {
        "id": new_id("cus", length=14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": sandbox.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": random_word(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": metadata,
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
        **{name: value or None for name, value in fields.items()},
    }
    sandbox.store.put(customer)
    emit_event(sandbox, "customer.created", customer)
    return customer


def retrieve_customer(call: Call) -> Resource:
    """A customer, also a deleted one."""
    return call.find("customer")


def update_customer(call: Call) -> Resource:
    """The changed customer."""
    customer = require_customer(call.sandbox, call.id)
    before = dict(customer)
    _check_address(call.params.get("address") or {})
    customer |= {name: value or None for name, value in call.params.items() if name in _PLAIN_FIELDS}
    customer["invoice_settings"] = _merge_invoice_settings(call, customer)
    customer["metadata"] = merge_metadata(customer["metadata"], call.params.get("metadata"))
    save_change(call.sandbox, customer, before=before, event_type="customer.updated")
    if (balance := call.params.get("balance", customer["balance"])) != customer["balance"]:
        currency, amount = customer["currency"] or "usd", balance - customer["balance"]
        move_balance(call.sandbox, customer["id"], amount=amount, kind="adjustment", currency=currency)
    return require_customer(call.sandbox, call.id)


def _check_address(address: dict[str, str]) -> None:
    country = address.get("country", "")
    if country and not re.fullmatch(r"[A-Z]{2}", country):
        message = f"Country '{country}' is unknown. Try using a 2-character alphanumeric country code instead."
        raise ApiError(message, param="address[country]")


def _merge_invoice_settings(call: Call, customer: Resource) -> Resource:
    """What a customer's invoices are paid with and say, after an update; the card must be saved with the customer."""
    given = call.params.get("invoice_settings") or {}
    if card_id := given.get("default_payment_method"):
        card = call.sandbox.require("payment_method", card_id, param="invoice_settings[default_payment_method]")
        if card["customer"] != customer["id"]:
            message = (
                f"The customer does not have a payment method with the ID {card_id}. The payment method must be "
                "attached to the customer."
            )
            raise ApiError(message, code="resource_missing", param="invoice_settings[default_payment_method]")
    changed = {name: value or None for name, value in given.items() if name in customer["invoice_settings"]}
    return {**customer["invoice_settings"], **changed}


def delete_customer(sandbox: Sandbox, customer_id: str) -> Resource:
    """Delete a customer, by a request or by a lever, and tell of it. Returns what is left of it."""
    customer = require_customer(sandbox, customer_id)
    emit_event(sandbox, "customer.deleted", customer)
    deleted = {"id": customer["id"], "object": "customer", "deleted": True}
    sandbox.store.put(deleted)
    return deleted


def list_customers(call: Call) -> Resource:
    """A page of customers."""
    filters = {"email": "email", "created": "created"}
    return list_page(
        call.sandbox, kind="customer", url=call.path, params=call.params, filters=filters, conditions=[NOT_DELETED]
    )


def require_customer(sandbox: Sandbox, customer_id: str, *, param: str | None = None) -> Resource:
    """A customer that is not deleted."""
    customer = sandbox.require("customer", customer_id, param=param)
    if customer.get("deleted"):
        message = f"No such customer: '{customer_id}'; it was deleted."
        raise ApiError(message, code="resource_missing", param=param or "id")
    return customer
