"""Replays by id, type, time and state."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack, StripeEvent
from billing.tests.shop import WEBHOOK_SECRET, Credited, credited, deliver, open_checkout, work_off_all
from billing.tests.webhooks.events import make_event, post_event
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker", "gateway")]


def replay(*arguments: str) -> tuple[dict[str, Any], int]:
    """The document that the command prints, and its exit code."""
    out, code = StringIO(), 0
    try:
        call_command("replay_stripe_events", *arguments, "--json", stdout=out)
    except SystemExit as end:
        code = int(str(end.code))
    return json.loads(out.getvalue()), code


def ids(document: dict[str, Any]) -> list[str]:
    return [event["id"] for event in document["events"]]


def store(**fields: Any) -> str:
    event = make_event(**fields)
    assert post_event(event).status_code == 200
    return str(event["id"])


def test_without_a_filter_nothing_is_replayed() -> None:
    with pytest.raises(CommandError) as caught:
        call_command("replay_stripe_events")

    assert caught.value.returncode == 2


def test_replay_of_what_is_done_changes_nothing(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    stripe_sandbox.control.pay_session(started.session_id)
    for signed in stripe_sandbox.control.take_events(secret=WEBHOOK_SECRET):
        deliver(signed)
    work_off_all(gateway)

    document, code = replay("--state", "done")

    assert code == 0
    assert {event["state"] for event in document["events"]} == {"done"}
    assert credited(started.payment) == Credited(credits=started.payment.credits + 500, entries=1)


def test_dead_event_is_repaired_by_its_id(gateway: StripeGateway) -> None:
    event_id, other = store(), store()
    StripeEvent.objects.update(state="dead", tries=8, traceback="x")

    document, code = replay("--id", event_id)

    assert (ids(document), code) == ([event_id], 0)
    assert StripeEvent.objects.get(event_id=event_id).state == "done"
    assert StripeEvent.objects.get(event_id=other).state == "dead"


def test_type_time_and_state_must_all_fit() -> None:
    early = store(type="a.b", created=1_700_000_000)
    late = store(type="a.b", created=1_800_000_000)
    store(type="c.d", created=1_700_000_000)

    assert ids(replay("--type", "a.b")[0]) == [early, late]
    assert ids(replay("--type", "a.b", "--since", "2025-01-01")[0]) == [late]
    assert ids(replay("--type", "a.b", "--until", "2025-01-01T00:00:00+00:00")[0]) == [early]
    assert ids(replay("--type", "a.b", "--state", "dead")[0]) == []


def test_dry_run_changes_nothing() -> None:
    event_id = store()
    StripeEvent.objects.update(state="dead")

    document, code = replay("--state", "dead", "--dry-run")

    assert (ids(document), code) == ([event_id], 0)
    assert StripeEvent.objects.get().state == "dead"


def test_ignored_and_unknown_events_are_findings() -> None:
    ignored = store(livemode=True)

    document, code = replay("--id", ignored, "--id", "evt_unknown")

    assert (document, code) == ({"events": [], "unknown": sorted([ignored, "evt_unknown"])}, 1)
    assert StripeEvent.objects.get().state == "ignored"


def test_event_that_is_parked_again_is_a_finding() -> None:
    store(type="checkout.session.completed", stripe_object={"id": "cs_x", "object": "checkout.session"})

    assert replay("--state", "pending")[1] == 1
