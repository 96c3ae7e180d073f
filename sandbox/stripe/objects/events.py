"""Reading events."""

from sandbox.stripe.calls import Call
from sandbox.stripe.lists import list_page
from sandbox.stripe.records import Resource
from sandbox.stripe.store import Condition


def retrieve_event(call: Call) -> Resource:
    """An event, as it was."""
    return call.find("event")


def list_events(call: Call) -> Resource:
    """A page of events."""
    conditions = [Condition("type", "=", call.params["types"])] if "types" in call.params else []
    if "delivery_success" in call.params:
        operator = "=" if call.params["delivery_success"] else ">"
        conditions.append(Condition("pending_webhooks", operator, 0))
    filters = {"created": "created", "type": "type"}
    return list_page(
        call.sandbox, kind="event", url=call.path, params=call.params, filters=filters, conditions=conditions
    )
