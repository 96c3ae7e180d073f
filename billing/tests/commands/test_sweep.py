"""The sweeper does what is due, and no failure of one chore keeps it from the others."""

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.kinds import EntryKind
from billing.models import BillingCustomer, CreditBalance, CreditHold, CreditPack, StripeEvent
from billing.services.holds import place_hold
from billing.services.posting import Posting, post
from billing.tests.shop import WEBHOOK_SECRET, credited, deliver, open_checkout
from billing.tests.webhooks.events import make_event, post_event
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


def sweep() -> dict[str, int]:
    out = StringIO()
    call_command("sweep", "--once", "--json", stdout=out)
    return dict(json.loads(out.getvalue() or "{}"))


@pytest.mark.usefixtures("gateway")
def test_nothing_due_is_nothing_done() -> None:
    assert sweep() == {}


def test_due_events_end_in_credits(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    stripe_sandbox.control.pay_session(started.session_id)
    events = stripe_sandbox.control.take_events(secret=WEBHOOK_SECRET)
    for signed in events:
        assert deliver(signed) == 200

    assert sweep()["events_worked_off"] == len(events)

    assert credited(started.payment).credits == 10_500


@pytest.mark.usefixtures("gateway")
def test_stale_holds_and_lapsed_credits_end(customer: BillingCustomer) -> None:
    now = timezone.now()
    credits = Posting(
        customer_id=customer.pk,
        kind=EntryKind.PROMOTION,
        amount=Decimal(100),
        key="staff:1",
        expires_at=now + timedelta(hours=1),
    )
    post(posting=credits)
    hold = place_hold(customer_id=customer.pk, amount=Decimal(10), key="api:1")
    past = now - timedelta(minutes=1)
    CreditHold.objects.filter(pk=hold.pk).update(placed_at=past, expires_at=past)

    counts = sweep()

    assert counts["holds_expired"] == 1
    assert CreditBalance.objects.get(pk=customer.pk).held == 0
    assert counts["customers_expired"] == 0


@pytest.mark.usefixtures("gateway")
def test_parked_events_are_woken_and_at_last_a_finding() -> None:
    event = make_event({"id": "cs_x", "object": "checkout.session"}, type="checkout.session.completed")
    post_event(event)
    sweep()
    StripeEvent.objects.update(parked_at=timezone.now() - timedelta(hours=73))

    assert sweep()["events_forgotten"] == 1

    assert StripeEvent.objects.get().state == "dead"


@pytest.mark.usefixtures("gateway")
def test_failing_chore_is_told_by_the_exit_code_and_keeps_none_of_the_others_from_being_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> int:
        raise RuntimeError("broken")

    done: list[str] = []
    monkeypatch.setattr("billing.management.commands.sweep.wake_events_known_by_now", fail)
    monkeypatch.setattr("billing.management.commands.sweep.connections.close_all", lambda: done.append("closed"))
    post_event(make_event())

    with pytest.raises(SystemExit) as caught:
        sweep()

    assert caught.value.code == 1
    assert done == ["closed"]
    assert StripeEvent.objects.get().state == "done"
