"""Expansion: ids replaced by their objects, and lists that are only there when asked for."""

from collections.abc import Callable
from typing import Any

from sandbox.contract.sdk_types import Schema
from sandbox.stripe.errors import ApiError
from sandbox.stripe.lists import as_list
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, public
from sandbox.stripe.store import Condition
from sandbox.stripe.taxes import PERCENT

DEEPEST = 4
# At Stripe these must be asked for; the sandbox tells them always.
_ALREADY_THERE = frozenset({"features.subscription_update.products"})


def expand_answer(sandbox: Sandbox, answer: Resource, schema: Schema, paths: list[str]) -> Resource:
    """The answer without private fields, and with each path of ``expand[]`` expanded."""
    expanded = public(answer)
    for path in paths:
        names = path.split(".")
        if len(names) - (names[0] == "data") > DEEPEST:
            raise ApiError(f"You cannot expand more than {DEEPEST} levels of a property ({path}).", param="expand[]")
        _Expansion(sandbox, path).expand(expanded, schema, names)
    return expanded


class _Expansion:
    def __init__(self, sandbox: Sandbox, path: str) -> None:
        self.sandbox, self.path = sandbox, path

    def expand(self, value: Any, schema: Schema, names: list[str]) -> None:
        """Expand the first name inside a value in place, then the rest inside what came."""
        if isinstance(value, list):
            for item in value:
                self.expand(item, self._object_schema(schema.get("items", {}), item), names)
        elif isinstance(value, dict):
            self._expand_field(value, self._object_schema(schema, value), names)

    def _expand_field(self, value: Resource, schema: Schema, names: list[str]) -> None:
        if value.get("deleted"):
            return  # of what is deleted nothing is left that could be expanded
        name = names[0]
        field = schema.get("properties", {}).get(name)
        if field is None:
            raise self._refusal()
        included = _INCLUDED.get((str(value.get("object")), name))
        if included and value.get(name) is None:
            value[name] = included(self.sandbox, value)
        elif self._is_expandable(field):
            value[name] = self._fetch(value.get(name))
        elif len(names) == 1 and self.path.removeprefix("data.") not in _ALREADY_THERE:
            raise self._refusal()
        if len(names) > 1:
            below = value.get(name)
            self.expand(below, self._object_schema(field, below), names[1:])

    def _fetch(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._fetch(item) for item in value]
        if isinstance(value, str) and (found := self.sandbox.store.get(value)):
            return public(found)
        return value

    def _is_expandable(self, field: Schema) -> bool:
        return bool(field.get("x-expandable") or field.get("items", {}).get("x-expandable"))

    def _object_schema(self, schema: Schema, value: Any) -> Schema:
        if isinstance(value, dict) and value.get("object") in self.sandbox.contract.schemas:
            return self.sandbox.contract.schemas[value["object"]]
        schema = self.sandbox.contract.resolve(schema)
        for choice in schema.get("anyOf", []):
            if "$ref" in choice or choice.get("type") in ("object", "array"):
                return self._object_schema(choice, value)
        return schema

    def _refusal(self) -> ApiError:
        return ApiError(f"This property cannot be expanded ({self.path}).", param="expand[]")


def _line_items(sandbox: Sandbox, session: Resource) -> Resource:
    stored = sandbox.store.get(session["id"]) or {}
    return as_list(
        [public(item) for item in stored["_line_items"]], url=f"/v1/checkout/sessions/{session['id']}/line_items"
    )


def _invoice_payments(sandbox: Sandbox, invoice: Resource) -> Resource:
    found = sandbox.store.find("invoice_payment", [Condition("invoice", "=", invoice["id"])])
    return as_list([public(payment) for payment in found], url="/v1/invoice_payments")


def _refunds(sandbox: Sandbox, charge: Resource) -> Resource:
    found = sandbox.store.find("refund", [Condition("charge", "=", charge["id"])])
    return as_list([public(refund) for refund in found[:10]], url="/v1/refunds", has_more=len(found) > 10)


def _tax_ids(sandbox: Sandbox, customer: Resource) -> Resource:
    found = sandbox.store.find("tax_id", [Condition("customer", "=", customer["id"])])
    return as_list([public(tax_id) for tax_id in found], url=f"/v1/customers/{customer['id']}/tax_ids")


def _tax(sandbox: Sandbox, customer: Resource) -> Resource:
    country = (customer["address"] or {}).get("country")
    state = (customer["address"] or {}).get("state")
    location = {"country": country, "source": "billing_address", "state": state}
    status = "unrecognized_location" if not country else "supported" if country in PERCENT else "not_collecting"
    return {
        "automatic_tax": status,
        "ip_address": None,
        "location": location if country else None,
        "provider": "stripe",
    }


def _subscriptions(sandbox: Sandbox, customer: Resource) -> Resource:
    found = sandbox.store.find("subscription", [Condition("customer", "=", customer["id"])])
    running = [public(one) for one in found if one["status"] not in ("canceled", "incomplete_expired")]
    return as_list(running, url=f"/v1/customers/{customer['id']}/subscriptions")


# What is not in an object unless it is asked for.
_INCLUDED: dict[tuple[str, str], Callable[[Sandbox, Resource], Resource]] = {
    ("charge", "refunds"): _refunds,
    ("checkout.session", "line_items"): _line_items,
    ("customer", "subscriptions"): _subscriptions,
    ("customer", "tax"): _tax,
    ("customer", "tax_ids"): _tax_ids,
    ("invoice", "payments"): _invoice_payments,
}
