"""An event's way from pending to its end."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack, EventState, LedgerEntry, Payment, StripeEvent
from billing.services.parked_events import wake_events_known_by_now, wake_parked_events
from billing.tests.shop import WEBHOOK_SECRET, credited, deliver, open_checkout, work_off_all
from billing.tests.webhooks.events import make_event, post_event
from billing.webhooks.inbox import find_forgotten_events, work_off_due_events, work_off_event
from billing.webhooks.replay import replay_event
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
OLD_VERSION = "2020-03-02"


def store(event: dict[str, Any]) -> StripeEvent:
    assert post_event(event).status_code == 200
    return StripeEvent.objects.get(event_id=event["id"])


def paid_session(sandbox: SandboxServer, session_id: str) -> dict[str, Any]:
    sandbox.control.pay_session(session_id)
    session = sandbox.control.get_object(session_id)
    assert session is not None
    return session


def test_event_of_a_type_without_a_handler_is_done(gateway: StripeGateway) -> None:
    event = store(make_event())

    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.DONE
    assert work_off_event(event_id=event.event_id, gateway=gateway) is None


def test_events_are_worked_off_oldest_first_up_to_the_limit(gateway: StripeGateway) -> None:
    events = [store(make_event()) for _ in range(3)]

    assert work_off_due_events(gateway=gateway, limit=2) == 2

    states = [StripeEvent.objects.get(pk=event.pk).state for event in events]
    assert states == ["done", "done", "pending"]


def test_sweeper_that_shall_stop_begins_nothing_more(gateway: StripeGateway) -> None:
    store(make_event())

    assert work_off_due_events(gateway=gateway, should_stop=lambda: True) == 0


def test_event_of_another_release_is_read_anew_from_stripe(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    session = paid_session(stripe_sandbox, started.session_id)
    outdated = {"id": session["id"], "object": "checkout.session", "client_reference_id": started.payment.public_id}
    event = store(make_event(outdated, type="checkout.session.completed", api_version=OLD_VERSION))

    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.DONE

    assert credited(started.payment).credits == 10_500


def test_monthly_version_of_our_release_is_trusted(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    session = paid_session(stripe_sandbox, started.session_id)
    stripe_sandbox.control.fail_reads(percent=100)
    event = store(make_event(session, type="checkout.session.completed", api_version="2026-09-30.endive"))

    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.DONE


@pytest.fixture
def impatient_gateway(gateway: StripeGateway, stripe_sandbox: SandboxServer) -> StripeGateway:
    """A gateway that does not try a failed read again by itself."""
    return StripeGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url, max_network_retries=0)


def test_failure_is_kept_with_the_event_which_is_tried_again(
    stripe_sandbox: SandboxServer, impatient_gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=impatient_gateway)
    session = paid_session(stripe_sandbox, started.session_id)
    event = store(make_event(session, type="checkout.session.completed", api_version=OLD_VERSION))
    stripe_sandbox.control.fail_reads(percent=100)

    assert work_off_event(event_id=event.event_id, gateway=impatient_gateway) is EventState.PENDING

    event.refresh_from_db()
    assert "StripeUnavailable" in event.traceback
    assert event.tries == 1
    assert event.next_try_at is not None
    assert event.next_try_at > timezone.now() + timedelta(seconds=1)
    assert not LedgerEntry.objects.exists()

    stripe_sandbox.control.clear_faults()
    work_off_all(impatient_gateway)
    event.refresh_from_db()
    assert (event.state, event.traceback) == ("done", "")
    assert credited(started.payment).credits == 10_500


def test_event_is_dead_after_eight_failures_and_lives_again_when_replayed(
    stripe_sandbox: SandboxServer, impatient_gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=impatient_gateway)
    session = paid_session(stripe_sandbox, started.session_id)
    event = store(make_event(session, type="checkout.session.completed", api_version=OLD_VERSION))
    stripe_sandbox.control.fail_reads(percent=100)
    pauses = []

    for _ in range(8):
        StripeEvent.objects.update(next_try_at=timezone.now())
        state = work_off_event(event_id=event.event_id, gateway=impatient_gateway)
        event.refresh_from_db()
        assert event.next_try_at is not None
        pauses.append(round((event.next_try_at - timezone.now()).total_seconds()))

    assert state is EventState.DEAD
    assert pauses == [2, 8, 32, 128, 512, 2048, 3600, 3600]
    assert "StripeUnavailable" in event.reason
    assert "Traceback" in event.traceback
    stripe_sandbox.control.clear_faults()
    assert replay_event(event_id=event.event_id)
    assert work_off_event(event_id=event.event_id, gateway=impatient_gateway) is EventState.DONE
    assert credited(started.payment).credits == 10_500


def test_event_whose_every_try_ended_with_its_process_is_dead(gateway: StripeGateway, settings: Settings) -> None:
    event = store(make_event())
    StripeEvent.objects.update(tries=settings.WEBHOOK_MAX_TRIES)

    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.DEAD

    event.refresh_from_db()
    assert event.reason == "Its last try did not come to an end."


def test_event_that_a_crashed_worker_had_claimed_is_due_again_after_its_lease(gateway: StripeGateway) -> None:
    event = store(make_event())
    StripeEvent.objects.update(tries=1, next_try_at=timezone.now() + timedelta(seconds=2))
    assert work_off_event(event_id=event.event_id, gateway=gateway) is None

    StripeEvent.objects.update(next_try_at=timezone.now())
    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.DONE


def test_foreign_session_is_parked_without_asking_stripe(stripe_sandbox: SandboxServer, gateway: StripeGateway) -> None:
    stripe_sandbox.control.fail_reads(percent=100)
    session = {"id": "cs_test_foreign", "object": "checkout.session", "payment_intent": "pi_foreign"}
    event = store(make_event(session, type="checkout.session.completed", api_version=OLD_VERSION))

    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.PARKED

    event.refresh_from_db()
    assert (event.tries, event.traceback) == (0, "")
    assert event.parked_at is not None
    assert event.related_ids == ["cs_test_foreign", "pi_foreign"]


def test_parked_event_is_worked_off_once_its_payment_learns_the_id(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    session = paid_session(stripe_sandbox, started.session_id)
    failed = {"id": session["payment_intent"], "object": "payment_intent", "metadata": {}}
    failed |= {"status": "requires_payment_method", "last_payment_error": {"message": "No funds.", "charge": "ch_1"}}
    failed |= {"customer": session["customer"], "livemode": False}
    early = store(make_event(failed, type="payment_intent.payment_failed"))
    assert work_off_event(event_id=early.event_id, gateway=gateway) is EventState.PARKED

    completed = store(make_event(session, type="checkout.session.completed"))
    assert work_off_event(event_id=completed.event_id, gateway=gateway) is EventState.DONE

    early.refresh_from_db()
    assert early.state == "pending"
    assert work_off_due_events(gateway=gateway) == 1
    assert Payment.objects.get().failed_attempts["ch_1"]["message"] == "No funds."


def test_event_that_is_parked_again_waits_since_the_first_time(gateway: StripeGateway) -> None:
    stranger = {"id": "cs_stranger", "object": "checkout.session", "status": "complete", "payment_status": "paid"}
    event = store(make_event(stranger, type="checkout.session.completed"))
    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.PARKED
    long_ago = timezone.now() - timedelta(hours=71)
    StripeEvent.objects.update(parked_at=long_ago)

    wake_parked_events(named=StripeEvent.objects.get().related_ids)
    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.PARKED

    assert StripeEvent.objects.get().parked_at == long_ago


def test_parked_event_that_nobody_woke_is_found_by_the_sweeper(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    ours = store(make_event(paid_session(stripe_sandbox, started.session_id), type="checkout.session.completed"))
    foreign = store(make_event({"id": "cs_x", "object": "checkout.session"}, type="checkout.session.completed"))
    StripeEvent.objects.update(state=EventState.PARKED, parked_at=timezone.now(), next_try_at=None)

    assert wake_events_known_by_now() == 1

    assert StripeEvent.objects.get(pk=ours.pk).state == EventState.PENDING
    assert StripeEvent.objects.get(pk=foreign.pk).state == EventState.PARKED


@pytest.mark.parametrize(("hours", "state"), [(71.9, EventState.PARKED), (72.1, EventState.DEAD)])
def test_parked_event_is_a_finding_after_72_hours(gateway: StripeGateway, hours: float, state: EventState) -> None:
    event = store(make_event({"id": "cs_x", "object": "checkout.session"}, type="checkout.session.completed"))
    work_off_event(event_id=event.event_id, gateway=gateway)

    find_forgotten_events(now=timezone.now() + timedelta(hours=hours))

    event.refresh_from_db()
    assert event.state == state


def test_another_session_that_names_our_payment_is_dead_and_grants_nothing(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    session = paid_session(stripe_sandbox, started.session_id)
    event = store(make_event({**session, "id": "cs_test_other"}, type="checkout.session.completed"))

    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.DEAD

    assert not LedgerEntry.objects.exists()


def test_intent_of_another_customer_that_names_our_payment_grants_nothing(
    gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    intent: dict[str, Any] = {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "customer": "cus_other"}
    intent |= {"amount": 1000, "amount_received": 1000, "currency": "usd", "livemode": False}
    intent |= {"metadata": {"payment_id": started.payment.public_id}}
    event = store(make_event(intent, type="payment_intent.succeeded"))

    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.DEAD

    assert not LedgerEntry.objects.exists()


def test_object_of_live_mode_in_a_test_event_grants_nothing(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    session = paid_session(stripe_sandbox, started.session_id)
    event = store(make_event({**session, "livemode": True}, type="checkout.session.completed"))

    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.DEAD

    assert not LedgerEntry.objects.exists()


def test_lost_answer_of_stripe_loses_no_payment(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    Payment.objects.update(checkout_session_id=None)  # as if we had been killed before we recorded the answer

    stripe_sandbox.control.pay_session(started.session_id)
    for signed in stripe_sandbox.control.take_events(secret=WEBHOOK_SECRET):
        assert deliver(signed) == 200
    work_off_all(gateway)

    assert credited(started.payment).credits == 10_500
    assert Payment.objects.get().checkout_session_id == started.session_id


def test_discounted_intent_is_credited_though_its_session_is_not_complete_yet(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    intent = discounted_intent(stripe_sandbox, started.session_id, total=900)
    event = store(make_event(intent, type="payment_intent.succeeded"))

    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.DONE

    customer.refresh_from_db()
    assert credited(started.payment).credits == 10_500
    assert customer.flagged_at is None


def test_intent_that_collected_less_than_its_session_asks_is_not_credited(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    intent = discounted_intent(stripe_sandbox, started.session_id, total=900)
    event = store(make_event({**intent, "amount_received": 1}, type="payment_intent.succeeded"))

    assert work_off_event(event_id=event.event_id, gateway=gateway) is EventState.DONE

    customer.refresh_from_db()
    assert credited(started.payment).entries == 0
    assert customer.flagged_at is not None


def discounted_intent(sandbox: SandboxServer, session_id: str, *, total: int) -> dict[str, Any]:
    """A succeeded intent for less than the price, whose session says so and is still open."""
    session = paid_session(sandbox, session_id)
    intent = sandbox.control.get_object(session["payment_intent"])
    assert intent is not None
    with sandbox.control.sandbox.work():
        stored = sandbox.control.sandbox.require("checkout.session", session_id)
        changes = {"status": "open", "payment_status": "unpaid", "amount_total": total}
        sandbox.control.sandbox.store.put({**stored, **changes})
    return {**intent, "amount": total, "amount_received": total}
