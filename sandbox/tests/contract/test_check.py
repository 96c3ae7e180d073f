"""What the checks catch."""

from typing import Any

import pytest

from sandbox.contract.check import committed_contract
from sandbox.contract.forms import decode_form

CONTRACT = committed_contract()


def customer(**more: Any) -> dict[str, Any]:
    return {"id": "cus_1", "object": "customer", "created": 1, "livemode": False, **more}


def event(**more: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": CONTRACT.version,
        "created": 1,
        "data": {"object": customer()},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": "customer.created",
        **more,
    }


def test_form_decodes_nested_fields_and_arrays() -> None:
    form = decode_form("a[b][c]=1&d[]=x&d[]=y&e[0][f]=2&g=&h=%E2%82%AC")

    assert form == {"a": {"b": {"c": "1"}}, "d": {"0": "x", "1": "y"}, "e": {"0": {"f": "2"}}, "g": "", "h": "€"}


def test_parameters_become_typed() -> None:
    found = CONTRACT.find_operation(method="POST", path="/v1/checkout/sessions")
    assert found
    form = decode_form("mode=payment&allow_promotion_codes=true&line_items[0][quantity]=2&metadata[a]=1&expand[]=x")

    params, problems = CONTRACT.read_params(operation=found[0], form=form)

    assert problems == []
    assert params == {
        "mode": "payment",
        "allow_promotion_codes": True,
        "line_items": [{"quantity": 2}],
        "metadata": {"a": "1"},
        "expand": ["x"],
    }


def test_operation_gives_the_ids_of_its_path() -> None:
    found = CONTRACT.find_operation(method="GET", path="/v1/checkout/sessions/cs_1/line_items")

    assert found
    assert found[1] == {"session": "cs_1"}
    assert CONTRACT.find_operation(method="PUT", path="/v1/customers") is None


def test_good_object_holds() -> None:
    assert CONTRACT.check_resource(customer(email=None, metadata={"a": "1"}, address={"city": "Paris"})) == []
    assert CONTRACT.check_resource({"id": "cus_1", "object": "customer", "deleted": True}) == []


@pytest.mark.parametrize(
    ("broken", "breach"),
    [
        (customer(nonsense=1), "customer.nonsense: no such field"),
        (customer(created="today"), "customer.created: 'today' is no integer"),
        (customer(created=True), "customer.created: True is no integer"),
        (customer(livemode=None), "customer.livemode: must not be null"),
        (customer(tax_exempt="maybe"), "customer.tax_exempt: 'maybe' is not a documented value"),
        (customer(address={"town": "Paris"}), "customer.address.town: no such field"),
        (customer(preferred_locales=[1]), "customer.preferred_locales[0]: 1 is no string"),
        ({"object": "customer", "id": "cus_1", "created": 1}, "customer.livemode: is missing"),
        ({"object": "nonsense"}, "nonsense: no such object"),
    ],
)
def test_broken_object_is_caught(broken: dict[str, Any], breach: str) -> None:
    assert CONTRACT.check_resource(broken) == [breach]


@pytest.mark.parametrize(
    ("broken", "breach"),
    [
        (event(type="customer.adored"), "is not a documented value"),
        (event(api_version="2020-08-27"), "2020-08-27 is not"),
        (event(type="customer.updated"), "previous_attributes"),
        (event(data={"object": customer(), "previous_attributes": {}}), "previous_attributes"),
        (event(data={"object": customer(nonsense=1)}), "customer.nonsense: no such field"),
    ],
)
def test_broken_event_is_caught(broken: dict[str, Any], breach: str) -> None:
    breaches = CONTRACT.check_event(broken)

    assert len(breaches) == 1
    assert breach in breaches[0]


def test_good_event_holds() -> None:
    assert CONTRACT.check_event(event()) == []
