"""What the checkout page asks about where the customer lives."""

from sandbox.stripe.checkout.locating import Location, asks_for_location, located_address, takes_tax_id
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource
from sandbox.stripe.taxes import COUNTRIES, is_tax_id, kind_of_tax_id


def read_location(session: Resource, typed: dict[str, str]) -> tuple[Location | None, dict[str, str]]:
    """Where the customer lives, as typed, or what is wrong with it by field. None where the page does not ask."""
    if not asks_for_location(session):
        return None, {}
    country = typed.get("country", "")
    if country not in COUNTRIES:
        return None, {"country": "Choose your country."}
    tax_id = "".join(typed.get("tax_id", "").split()).upper() if takes_tax_id(session) else ""
    kind = kind_of_tax_id(country)
    if tax_id and kind is None:
        return None, {"tax_id": f"Numbers of {COUNTRIES[country]} are not taken here: leave it empty."}
    if tax_id and kind and not is_tax_id(kind, tax_id):
        return None, {"tax_id": "This is no number of that country. One of Austria looks like ATU12345678."}
    fields = {name: typed.get(name, "").strip()[:200] for name in ("line1", "postal_code", "city")}
    return Location(country, tax_id=tax_id, **fields), {}


def describe_location(sandbox: Sandbox, session: Resource, typed: dict[str, str]) -> Resource:
    """What the page shows of it: the fields as they were typed or are known, and the countries to choose from."""
    known = located_address(sandbox, session)
    shown = {name: typed.get(name) or known[name] or "" for name in ("country", "line1", "postal_code", "city")}
    return {
        "is_asked": asks_for_location(session),
        "takes_tax_id": takes_tax_id(session),
        "is_known": session["automatic_tax"]["status"] == "complete",
        "is_taxed": session["automatic_tax"]["enabled"],
        "countries": COUNTRIES.items(),
        "tax_id": typed.get("tax_id", session.get("_tax_id", "")),
        **shown,
    }
