"""Several workers at one inbox: each event is worked off once, each payment credited once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from django.db import connections
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.gateway.facts import SessionFacts
from billing.models import BillingCustomer, CreditPack, EventState, StripeEvent
from billing.tests.shop import Credited, credited, make_customer, make_pack, open_checkout
from billing.tests.webhooks.events import make_event, post_event
from billing.webhooks.inbox import work_off_due_events, work_off_event
from sandbox.stripe.server import SandboxServer

WORKERS = 6


class InterruptedGateway(StripeGateway):
    """While it reads a session, another worker finishes the same event."""

    other: StripeGateway
    done_at_first: datetime | None = None

    def retrieve_session(self, *, session_id: str) -> SessionFacts:
        event = StripeEvent.objects.get()
        StripeEvent.objects.update(next_try_at=timezone.now())
        assert work_off_event(event_id=event.event_id, gateway=self.other) is EventState.DONE
        self.done_at_first = StripeEvent.objects.get().done_at
        return super().retrieve_session(session_id=session_id)


@pytest.mark.django_db
@pytest.mark.usefixtures("quiet_broker")
def test_event_that_another_worker_finished_meanwhile_is_left_as_it_is(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> None:
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    stripe_sandbox.control.pay_session(started.session_id)
    session = stripe_sandbox.control.get_object(started.session_id)
    event = make_event(session, type="checkout.session.completed", api_version="2020-08-27")
    post_event(event)
    slow = InterruptedGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url)
    slow.other = gateway

    assert work_off_event(event_id=event["id"], gateway=slow) is EventState.DONE

    done_first = slow.done_at_first
    assert done_first is not None
    assert StripeEvent.objects.get().done_at == done_first
    assert credited(started.payment).entries == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quiet_broker")
def test_workers_share_the_inbox_and_credit_each_payment_once(
    stripe_sandbox: SandboxServer, gateway: StripeGateway
) -> None:
    pack = make_pack()
    payments = []
    for _ in range(4):
        started = open_checkout(customer=make_customer(), pack=pack, gateway=gateway)
        stripe_sandbox.control.pay_session(started.session_id)
        payments.append(started.payment)
        session = stripe_sandbox.control.get_object(started.session_id)
        for _ in range(6):  # six events of one fact
            assert post_event(make_event(session, type="checkout.session.completed")).status_code == 200

    def work(_: int) -> int:
        try:
            return work_off_due_events(gateway=gateway)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WORKERS) as pool:
        counts = list(pool.map(work, range(WORKERS)))

    assert sum(counts) == 24
    assert set(StripeEvent.objects.values_list("state", "tries")) == {("done", 1)}
    assert {credited(payment) for payment in payments} == {
        Credited(credits=pack.credits + pack.bonus_credits, entries=1)
    }
