"""One visit to the portal: whose it is, what was typed, what it begins with, and where things lead that are done."""

import secrets
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.http import Http404, HttpRequest

from sandbox.stripe.errors import ApiError
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.portal import updating
from sandbox.stripe.portal.sessions import LASTS_SECONDS
from sandbox.stripe.records import Resource

_VIEWS = {
    "payment_method_update": "card",
    "subscription_cancel": "cancel",
    "subscription_update": "plans",
    "subscription_update_confirm": "confirm",
    "customer_update": "details",
}


@dataclass
class Visit:
    """One request to the portal: whose it is, what was typed, and what is wrong with it."""

    sandbox: Sandbox
    session: Resource
    configuration: Resource
    customer: Resource
    typed: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    message: str = ""

    @property
    def is_in_flow(self) -> bool:
        """Whether the one thing that the session began with is still to be done: until then there is no other."""
        return bool(self.session["flow"]) and not self.session.get("_is_flow_done")

    def address(self, **query: str) -> str:
        """An address inside this session."""
        base = f"/p/session/{self.session['id']}/{self.session['_token']}"
        return f"{base}?{urlencode(query)}" if query else base

    def subscription(self) -> Resource:
        """The subscription that the request names, which must be the customer's."""
        found = self.sandbox.store.get(self.typed.get("subscription", ""), kind="subscription")
        if found is None or found["customer"] != self.customer["id"]:
            raise ApiError("There is no such plan.")
        return found

    def update(self) -> updating.Update:
        """The change of plan that the request names."""
        given = self.typed.get("quantity", "")
        quantity = int(given) if given.isdecimal() and 0 < int(given) < 1000 else None
        price_id = self.typed.get("price", "")
        return updating.plan_update(
            self.sandbox, self.configuration, self.subscription(), price_id=price_id, quantity=quantity
        )

    def require_feature(self, name: str) -> None:
        """Refuse what the configuration does not let customers do."""
        if not self.configuration["features"][name]["enabled"]:
            raise ApiError("This cannot be done here.")

    def keep(self, said: str, *, kind: str = "status") -> None:
        """Say this on the next page: an alert, or that something is done."""
        self.session["_said"] = {"text": said, "kind": kind}
        self.sandbox.store.put(self.session)

    def finish(self, said: str, *, flow: str = "") -> str:
        """Where a thing that is done leads: where the session's flow says, if it was for this, else home."""
        running = self.session["flow"]
        is_flow = bool(running and flow and running["type"].startswith(flow) and not self.session.get("_is_flow_done"))
        if is_flow:
            self.session["_is_flow_done"] = True
        self.keep(said)
        after: Resource = running["after_completion"] if is_flow else {"type": "portal_homepage"}
        if after["type"] == "redirect":
            return str(after["redirect"]["return_url"])
        return self.address(view="done" if after["type"] == "hosted_confirmation" else "home")


def open_visit(sandbox: Sandbox, request: HttpRequest, session_id: str, token: str) -> Visit | None:
    """The visit that a request is, or None when its session is over."""
    session = sandbox.store.get(session_id, kind="billing_portal.session")
    if session is None or not secrets.compare_digest(session["_token"].encode(), token.encode()):
        raise Http404("There is no such portal session.")
    customer = sandbox.store.get(session["customer"], kind="customer") or {}
    if customer.get("deleted") or sandbox.now() > session["created"] + LASTS_SECONDS:
        return None
    configuration = sandbox.require("billing_portal.configuration", session["configuration"])
    typed = (request.POST if request.method == "POST" else request.GET).dict()
    flow = session["flow"]
    visit = Visit(sandbox, session, configuration, customer, typed)
    if flow and visit.is_in_flow and "view" not in typed:
        visit.typed = {**_begin_flow(flow), **typed}
    return visit


def _begin_flow(flow: Resource) -> dict[str, str]:
    wanted = flow.get(flow["type"]) or {}
    item = (wanted.get("items") or [{}])[0]
    named = {"subscription": wanted.get("subscription"), "price": item.get("price"), "quantity": item.get("quantity")}
    return {"view": _VIEWS[flow["type"]], **{name: str(value) for name, value in named.items() if value}}
