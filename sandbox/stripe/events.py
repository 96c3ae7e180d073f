"""Events: what happened, told to every endpoint that asked for it."""

from sandbox.stripe import deliveries
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, changed_attributes, new_id, public


def emit_event(sandbox: Sandbox, event_type: str, resource: Resource, *, before: Resource | None = None) -> Resource:
    """Record that something happened to an object and plan its deliveries.

    ``before`` is the object as it was, for ``*.updated`` events; it gives their ``previous_attributes``.
    """
    contents: Resource = {"object": public(resource)}
    if before is not None:
        contents["previous_attributes"] = changed_attributes(before=before, after=resource)
    event: Resource = {
        "id": new_id("evt"),
        "object": "event",
        "api_version": sandbox.contract.version,
        "created": sandbox.now(),
        "data": contents,
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": sandbox.cause.request_id, "idempotency_key": sandbox.cause.idempotency_key},
        "type": event_type,
    }
    endpoints = deliveries.endpoints_for(sandbox, event_type)
    event["pending_webhooks"] = len(endpoints)
    sandbox.record_breaches("event", sandbox.contract.check_event(event))
    sandbox.store.put(event)
    for endpoint in endpoints:
        deliveries.plan_deliveries(sandbox, event=event, endpoint=endpoint)
    return event


def save_change(sandbox: Sandbox, resource: Resource, *, before: Resource, event_type: str) -> None:
    """Save a changed object, and tell of it if anything that others can see did change."""
    sandbox.store.put(resource)
    if changed_attributes(before=before, after=resource):
        emit_event(sandbox, event_type, resource, before=before)
