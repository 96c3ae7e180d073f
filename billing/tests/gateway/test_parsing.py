"""Facts from JSON of any age and shape."""

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.gateway.client import API_VERSION, is_our_release
from billing.gateway.parsing import parse_event, parse_payment_intent, parse_session

ODD: list[Any] = [None, 0, -1, 1e300, "", "x" * 10_000, "nul\x00", "\ud800", [], [[]], {}, {"id": 7}, True, 10**40]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_odd_values_never_raise_and_can_be_stored(odd: Any) -> None:
    names = ["id", "metadata", "amount_total", "created", "livemode", "customer", "total_details", "charges"]
    names += ["latest_charge", "last_payment_error", "currency", "status", "client_reference_id", "payment_intent"]
    odd_object = dict.fromkeys(names, odd)
    odd_event = dict.fromkeys(["id", "type", "api_version", "created", "livemode", "account", "data"], odd)

    session, intent, event = parse_session(odd_object), parse_payment_intent(odd_object), parse_event(odd_event)

    for text in (session.id, session.currency, intent.status, intent.charge_id, event.id, event.type, event.account):
        assert "\x00" not in text
        assert len(text.encode()) <= 10_000
    assert parse_event({"data": {"object": odd_object}}).object_id == session.id


def test_payment_is_named_by_metadata_before_the_client_reference() -> None:
    session = parse_session({"metadata": {"payment_id": "pay_1"}, "client_reference_id": "pay_2"})

    assert session.payment_reference == "pay_1"
    assert parse_session({"client_reference_id": "pay_2"}).payment_reference == "pay_2"


def test_expanded_object_counts_as_its_id() -> None:
    intent = parse_payment_intent({"latest_charge": {"id": "ch_1", "receipt_url": "https://r"}, "customer": "cus_1"})

    assert (intent.charge_id, intent.receipt_url, intent.customer_id) == ("ch_1", "https://r", "cus_1")


def test_charge_of_an_intent_from_before_2022_is_found_in_its_list() -> None:
    intent = parse_payment_intent({"charges": {"data": [{"id": "ch_1", "receipt_url": "https://r"}]}})

    assert (intent.charge_id, intent.receipt_url) == ("ch_1", "https://r")


def test_related_ids_are_all_that_the_object_names_once() -> None:
    stripe_object = {"id": "pi_1", "latest_charge": "ch_1", "customer": {"id": "cus_1"}, "invoice": None}
    stripe_object |= {"metadata": {"payment_id": "pay_1"}, "payment_intent": "pi_1"}

    event = parse_event({"data": {"object": stripe_object}, "created": 1_700_000_000})

    assert event.related_ids == ("pi_1", "ch_1", "cus_1", "pay_1")
    assert event.created_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_secrets_of_the_buyer_are_not_in_the_representation() -> None:
    session = parse_session({"id": "cs_1", "client_secret": "cs_1_secret_x", "url": "https://pay"})

    assert "secret_x" not in repr(session)
    assert "https://pay" not in repr(session)


@pytest.mark.parametrize(
    ("version", "is_ours"),
    [(API_VERSION, True), ("2026-09-30.endive", True), ("2025-04-30.basil", False), ("2020-08-27", False), ("", False)],
)
def test_release_is_ours_by_its_name(version: str, is_ours: bool) -> None:
    assert is_our_release(version) is is_ours
