"""The tax numbers of customers."""

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.records import Resource, new_id
from sandbox.stripe.store import Condition
from sandbox.stripe.taxes import is_tax_id

_VERIFIED = ("eu_vat", "gb_vat", "au_abn")
_STATUSES = {"111111111": "unverified", "222222222": "pending"}  # docs.stripe.com/billing/customer/tax-ids


def create_tax_id(call: Call) -> Resource:
    """A new tax number of a customer."""
    customer = require_customer(call.sandbox, call.ids["customer"])
    return new_tax_id(call.sandbox, customer, kind=call.params["type"], value=call.params["value"])


def new_tax_id(sandbox: Sandbox, customer: Resource, *, kind: str, value: str) -> Resource:
    """A new tax number of a customer, saved and told of.

    Raises:
        ApiError: it does not look like one of its type.
    """
    if not is_tax_id(kind, value):
        raise ApiError(f"Invalid value for {kind}.", code="tax_id_invalid", param="value")
    status = "unavailable" if kind not in _VERIFIED else "verified"
    status = next((known for digits, known in _STATUSES.items() if digits in value), status)
    is_verified = status == "verified"
    tax_id: Resource = {
        "id": new_id("txi"),
        "object": "tax_id",
        "country": value[:2] if kind == "eu_vat" else kind[:2].upper(),
        "created": sandbox.now(),
        "customer": customer["id"],
        "livemode": False,
        "owner": {"customer": customer["id"], "type": "customer"},
        "type": kind,
        "value": value,
        "verification": {
            "status": status,
            "verified_address": None,
            "verified_name": customer["name"] if is_verified else None,
        },
    }
    sandbox.store.put(tax_id)
    emit_event(sandbox, "customer.tax_id.created", tax_id)
    return tax_id


def tax_ids_of(sandbox: Sandbox, customer_id: str) -> list[Resource]:
    """The tax numbers of a customer, the latest first."""
    return sandbox.store.find("tax_id", [Condition("customer", "=", customer_id)])


def retrieve_tax_id(call: Call) -> Resource:
    """A tax number of the customer that the path names."""
    tax_id = call.sandbox.require("tax_id", call.ids["id"])
    if tax_id.get("customer") != call.ids["customer"]:
        raise ApiError(f"No such tax_id: '{tax_id['id']}'", status=404, code="resource_missing", param="id")
    return tax_id


def list_tax_ids(call: Call) -> Resource:
    """A page of the tax numbers of a customer."""
    customer = require_customer(call.sandbox, call.ids["customer"])
    conditions = [Condition("customer", "=", customer["id"])]
    return list_page(call.sandbox, kind="tax_id", url=call.path, params=call.params, conditions=conditions)


def delete_tax_id(call: Call) -> Resource:
    """What is left of a deleted tax number."""
    return remove_tax_id(call.sandbox, retrieve_tax_id(call))


def remove_tax_id(sandbox: Sandbox, tax_id: Resource) -> Resource:
    """Delete a tax number and tell of it. Returns what is left of it."""
    emit_event(sandbox, "customer.tax_id.deleted", tax_id)
    sandbox.store.remove(tax_id["id"])
    return {"id": tax_id["id"], "object": "tax_id", "deleted": True}
