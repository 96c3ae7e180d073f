"""Where the customer of a session lives, as asked for tax: what is due then, and what of it is kept."""

from dataclasses import dataclass

from sandbox.stripe.events import save_change
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.tax_ids import new_tax_id, tax_ids_of
from sandbox.stripe.records import Resource
from sandbox.stripe.taxes import Taxpayer, kind_of_tax_id, on_item, tax_on, tax_status, taxpayer_of

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


@dataclass(frozen=True)
class Location:
    """What a customer typed about where they live; ``tax_id`` is the number of their business, if it is one."""

    country: str
    line1: str = ""
    postal_code: str = ""
    city: str = ""
    tax_id: str = ""

    def as_address(self) -> Resource:
        """The address as objects of the API show it."""
        return {name: getattr(self, name, "") or None for name in _ADDRESS}


def asks_for_location(session: Resource) -> bool:
    """Whether the page of a session asks where the customer lives."""
    return bool(session["automatic_tax"]["enabled"] or session["billing_address_collection"] == "required")


def takes_tax_id(session: Resource) -> bool:
    """Whether the page of a session asks businesses for their tax number."""
    return bool((session.get("tax_id_collection") or {}).get("enabled"))


def add_up(sandbox: Sandbox, session: Resource) -> None:
    """Compute the tax on each line of a session, as far as the customer's place is known, and its totals."""
    taxpayer = _taxpayer(sandbox, session) if session["automatic_tax"]["enabled"] else None
    for item in session["_line_items"]:
        _tax_item(sandbox, item, taxpayer)
    items = session["_line_items"]
    session["amount_total"] = sum(item["amount_total"] for item in items)
    session["total_details"] = {
        **session["total_details"],
        "amount_discount": sum(item["amount_discount"] for item in items),
        "amount_tax": sum(item["amount_tax"] for item in items),
    }
    if taxpayer is not None:
        session["automatic_tax"] = {**session["automatic_tax"], "status": tax_status(taxpayer)}


def apply_location(sandbox: Sandbox, session: Resource, location: Location) -> bool:
    """Take where the customer lives, and compute the session anew. Returns whether its total is another now."""
    before = session["amount_total"]
    session["_location"] = location.as_address()
    session["_tax_id"] = location.tax_id
    add_up(sandbox, session)
    return bool(session["amount_total"] != before)


def located_address(sandbox: Sandbox, session: Resource) -> Resource:
    """The customer's address: the one typed, or the one known before."""
    customer = sandbox.store.get(session["customer"] or "", kind="customer") or {}
    known = customer.get("address") or {}
    typed: Resource | None = session.get("_location")
    return typed or {name: known.get(name) for name in _ADDRESS}


def keep_location(sandbox: Sandbox, session: Resource, *, name: str | None) -> None:
    """Keep with the customer of a completed session what was typed, as far as the session says so."""
    update = session.get("_customer_update") or {}
    customer = sandbox.store.get(session["customer"] or "", kind="customer")
    if customer is None or customer.get("deleted"):
        return
    before = dict(customer)
    is_new = session.get("customer_creation") is not None  # made by this session
    if session.get("_location") and (is_new or update.get("address") == "auto"):
        customer["address"] = session["_location"]
    if name and update.get("name") == "auto":
        customer["name"] = name
    save_change(sandbox, customer, before=before, event_type="customer.updated")
    kind = kind_of_tax_id((session.get("_location") or {}).get("country") or "")
    value = session.get("_tax_id")
    if value and kind and value not in [known["value"] for known in tax_ids_of(sandbox, customer["id"])]:
        new_tax_id(sandbox, customer, kind=kind, value=value)
    session["customer_details"] = {
        **session["customer_details"],
        "tax_ids": [{"type": known["type"], "value": known["value"]} for known in tax_ids_of(sandbox, customer["id"])],
    }


def _taxpayer(sandbox: Sandbox, session: Resource) -> Taxpayer:
    customer = sandbox.store.get(session["customer"] or "", kind="customer") or {}
    known = taxpayer_of(sandbox, customer) if customer and not customer.get("deleted") else Taxpayer()
    if typed := session.get("_location"):
        return Taxpayer(typed["country"], bool(session.get("_tax_id")) or known.has_tax_id, known.exempt)
    return known


def _tax_item(sandbox: Sandbox, item: Resource, taxpayer: Taxpayer | None) -> None:
    net = item["amount_subtotal"] - item["amount_discount"]
    if taxpayer is None or taxpayer.country is None:
        item |= {"amount_tax": 0, "amount_total": net}
        item.pop("taxes", None)
        return
    tax = tax_on(net, taxpayer=taxpayer, behavior=item["price"]["tax_behavior"] or "unspecified")
    item |= {"amount_tax": tax.amount, "amount_total": net + tax.added}
    item["taxes"] = [on_item(sandbox, tax)]
