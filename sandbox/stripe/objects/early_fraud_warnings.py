"""Reading early fraud warnings."""

from sandbox.stripe.calls import Call
from sandbox.stripe.lists import list_page
from sandbox.stripe.records import Resource


def retrieve_warning(call: Call) -> Resource:
    """An early fraud warning."""
    return call.find("radar.early_fraud_warning")


def list_warnings(call: Call) -> Resource:
    """A page of early fraud warnings."""
    filters = {name: name for name in ("charge", "created", "payment_intent")}
    return list_page(call.sandbox, kind="radar.early_fraud_warning", url=call.path, params=call.params, filters=filters)
