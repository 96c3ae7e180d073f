"""Payloads that Stripe really sent, of many API versions: taken without an exception, or refused when forged."""

import json
import os
from pathlib import Path

import pytest

from billing.gateway.client import StripeGateway
from billing.models import EventState, StripeEvent
from billing.tests.shop import work_off_all
from billing.tests.webhooks.events import post_event

DIRECTORY = os.environ.get("STRIPE_EVENTS_DIR", "")
PAYLOADS = sorted(Path(DIRECTORY).glob("*.json")) if DIRECTORY else []
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("quiet_broker"),
    pytest.mark.skipif(not DIRECTORY, reason="STRIPE_EVENTS_DIR names no directory of captured webhook payloads"),
]


def test_there_are_payloads() -> None:
    assert PAYLOADS, f"{DIRECTORY} holds no *.json"


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_signed_payload_is_stored_and_worked_off(path: Path, gateway: StripeGateway) -> None:
    body = path.read_bytes()

    assert post_event(body).status_code == 200
    work_off_all(gateway)

    stored = StripeEvent.objects.get()
    expected = {EventState.IGNORED} if json.loads(body)["livemode"] else {EventState.DONE, EventState.PARKED}
    assert stored.state in expected
    assert stored.traceback == ""
    assert stored.body == body.decode()


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_payload_with_a_wrong_signature_is_refused(path: Path) -> None:
    assert post_event(path.read_bytes(), secrets=["whsec_wrong"]).status_code == 400

    assert not StripeEvent.objects.exists()
