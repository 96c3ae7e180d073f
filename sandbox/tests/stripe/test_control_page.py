"""The control page, the mail page and the levers as JSON."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sandbox.stripe.pages.json_api import LEVERS
from sandbox.tests.stripe.shop import SECRET, Page, Shop


def press(shop: Shop, action: str, target: str = "", **more: str) -> Page:
    found = re.search(r'name="token" value="([^"]+)"', shop.browse(f"{shop.server.base_url}/sandbox/events/").html)
    assert found
    fields = {"token": found[1], "action": action, "target": target, "back": "/sandbox/events/", **more}
    return shop.browse(f"{shop.server.base_url}/sandbox/act/", fields)


def pull(shop: Shop, lever: str, **arguments: Any) -> tuple[int, Any]:
    import http.client

    address = shop.server.base_url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=10)
    body = json.dumps(arguments)
    connection.request("POST", f"/sandbox/api/{lever}", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.load(response)
    connection.close()
    return response.status, answer


def test_objects_are_listed_and_lead_to_their_json(shop: Shop) -> None:
    session = shop.open_session()

    listed = shop.browse(f"{shop.server.base_url}/sandbox/")
    detail = shop.browse(f"{shop.server.base_url}/sandbox/objects/{session.id}/")

    assert f"/sandbox/objects/{session.id}/" in listed.html
    assert '"payment_status": "unpaid"' in detail.text
    assert "_line_items" not in detail.text
    assert shop.browse(f"{shop.server.base_url}/sandbox/objects/none/").status == 404


@pytest.mark.parametrize("kind", ["charge", "event", "price", "customer", "webhook_endpoint", "payment_intent"])
def test_each_kind_has_its_list(shop: Shop, kind: str) -> None:
    shop.control.add_endpoint("http://127.0.0.1:9/", secrets=SECRET)
    shop.control.pay_session(shop.open_session(customer_creation="always").id)

    assert shop.browse(f"{shop.server.base_url}/sandbox/?kind={kind}").status == 200


@pytest.mark.parametrize(("action", "event"), [("settle", "succeeded"), ("fail", "failed")])
def test_bank_debit_is_ended_by_a_button(shop: Shop, action: str, event: str) -> None:
    session = shop.open_session()
    shop.control.pay_session(session.id, method="bank_debit")

    page = press(shop, action, session.id)

    assert (page.status, page.headers["Location"]) == (303, "/sandbox/events/")
    assert shop.event_types()[-1] == f"checkout.session.async_payment_{event}"


def test_session_is_expired_by_a_button(shop: Shop) -> None:
    session = shop.open_session()

    press(shop, "expire", session.id)
    again = press(shop, "expire", session.id)

    assert shop.read_session(session.id).status == "expired"
    assert again.status == 409
    assert "Only open Checkout Sessions" in again.text


def test_deliveries_are_steered_by_buttons(shop: Shop) -> None:
    shop.control.add_endpoint("http://127.0.0.1:9/", secrets=SECRET)

    saved = press(shop, "switch", mode="collect", delay_seconds="2", copies="2", signature="old", reorder="on")
    shop.client.v1.customers.create()
    event = shop.control.list_events("customer.created")[0]["id"]
    pressed = [press(shop, action, event).status for action in ("drop", "resend", "duplicate", "delay", "release")]

    switch = shop.control.read_deliveries()
    assert saved.status == 303
    assert (switch.mode, switch.copies, switch.reorder, switch.signature) == ("collect", 2, True, "old")
    assert pressed == [303] * 5
    states = [delivery["state"] for delivery in shop.control.list_objects("sandbox.delivery")]
    assert states.count("dropped") == 2
    assert len(states) == 5


def test_switch_refuses_what_it_does_not_know(shop: Shop) -> None:
    assert press(shop, "switch", mode="sometimes").status == 409
    assert press(shop, "nonsense").status == 404


def test_button_of_another_site_does_nothing(shop: Shop) -> None:
    session = shop.open_session()

    page = press(shop, "expire", session.id, token="guessed")

    assert page.status == 403
    assert shop.read_session(session.id).status == "open"


def test_going_back_stays_in_the_sandbox(shop: Shop) -> None:
    page = press(shop, "release", back="https://elsewhere.test/")

    assert page.headers["Location"] == "/sandbox/"


def test_mail_is_shown_newest_first_with_links(shop: Shop, tmp_path: Path) -> None:
    for number, subject in enumerate(("Welcome", "Confirm <b>now</b>")):
        path = tmp_path / f"{number}.eml"
        path.write_text(f"Subject: {subject}\nTo: ada@example.com\n\nSee http://127.0.0.1:8000/confirm/{number}/\n")
    shop.server.sandbox.mail_dir = tmp_path

    page = shop.browse(f"{shop.server.base_url}/sandbox/mail/")

    shop.server.sandbox.mail_dir = None
    assert page.html.index("Confirm") < page.html.index("Welcome")
    assert "Confirm &lt;b&gt;now&lt;/b&gt;" in page.html
    assert 'href="http://127.0.0.1:8000/confirm/1/"' in page.html


def test_levers_work_as_json(shop: Shop) -> None:
    session = shop.open_session()

    status, answer = pull(shop, "pay_session", args=[session.id], card="4000000000000002")
    _, paid = pull(shop, "pay_session", session_id=session.id)
    _, events = pull(shop, "list_events", args=["checkout.session.completed"])
    _, signed = pull(shop, "sign_event", event=events["result"][0]["id"], secret=SECRET)

    assert (status, answer["result"]["outcome"]) == (200, "declined")
    assert paid["result"]["outcome"] == "paid"
    built = shop.client.construct_event(signed["result"]["payload"], signed["result"]["signature"], SECRET)
    assert built.type == "checkout.session.completed"


@pytest.mark.parametrize("lever", LEVERS)
def test_each_lever_refuses_arguments_it_does_not_know(shop: Shop, lever: str) -> None:
    status, answer = pull(shop, lever, nonsense=1)

    if lever == "set_deliveries":  # its arguments are the switch's fields
        assert "nonsense" in answer["error"]
    assert status == 400


def test_levers_take_json_only(shop: Shop) -> None:
    address = f"{shop.server.base_url}/sandbox/api/reset"

    assert shop.browse(address, {"a": "1"}).status == 415
    assert pull(shop, "sandbox")[0] == 404
    assert "pay_session" in shop.browse(f"{shop.server.base_url}/sandbox/api/").html
