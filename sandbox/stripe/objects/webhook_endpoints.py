"""Webhook endpoints."""

from urllib.parse import urlsplit

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, merge_metadata, new_id
from sandbox.stripe.store import Condition


def create_webhook_endpoint(call: Call) -> Resource:
    """A new endpoint; its secret is in this answer and in no other."""
    version = call.params.get("api_version", call.sandbox.contract.version)
    if version != call.sandbox.contract.version:
        message = f"The sandbox sends events of {call.sandbox.contract.version} only."
        raise ApiError(message, param="api_version")
    endpoint = new_endpoint(
        call.sandbox,
        url=call.params["url"],
        secrets=[new_id("whsec", length=32)],
        enabled_events=call.params["enabled_events"],
    )
    endpoint["description"] = call.params.get("description")
    endpoint["metadata"] = merge_metadata({}, call.params.get("metadata"))
    call.sandbox.store.put(endpoint)
    return {**endpoint, "secret": endpoint["_secrets"][0]}


def new_endpoint(sandbox: Sandbox, *, url: str, secrets: list[str], enabled_events: list[str]) -> Resource:
    """A new enabled endpoint. With several secrets each delivery is signed with all of them."""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ApiError("Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid")
    endpoint: Resource = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": sandbox.contract.version,
        "application": None,
        "created": sandbox.now(),
        "description": None,
        "enabled_events": enabled_events,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
        "_secrets": secrets,
    }
    sandbox.store.put(endpoint)
    return endpoint


def set_endpoint(sandbox: Sandbox, *, url: str, secrets: list[str]) -> Resource:
    """The endpoint with this address, made if there is none, enabled for all events and signed with these secrets."""
    found = sandbox.store.find("webhook_endpoint", [Condition("url", "=", url)], limit=1)
    if not found:
        return new_endpoint(sandbox, url=url, secrets=secrets, enabled_events=["*"])
    endpoint = {**found[0], "_secrets": secrets, "status": "enabled", "enabled_events": ["*"]}
    sandbox.store.put(endpoint)
    return endpoint


def retrieve_webhook_endpoint(call: Call) -> Resource:
    """An endpoint, without its secret."""
    return call.find("webhook_endpoint")


def update_webhook_endpoint(call: Call) -> Resource:
    """The changed endpoint."""
    endpoint = call.find("webhook_endpoint")
    endpoint |= {name: call.params[name] for name in ("description", "enabled_events", "url") if name in call.params}
    if "disabled" in call.params:
        endpoint["status"] = "disabled" if call.params["disabled"] else "enabled"
    endpoint["metadata"] = merge_metadata(endpoint["metadata"], call.params.get("metadata"))
    call.sandbox.store.put(endpoint)
    return endpoint


def delete_webhook_endpoint(call: Call) -> Resource:
    """What is left of a deleted endpoint."""
    endpoint = call.find("webhook_endpoint")
    call.sandbox.store.remove(endpoint["id"])
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def list_webhook_endpoints(call: Call) -> Resource:
    """A page of endpoints."""
    return list_page(call.sandbox, kind="webhook_endpoint", url=call.path, params=call.params)
