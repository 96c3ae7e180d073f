"""What happens when time passes."""

from datetime import UTC, datetime, timedelta

import time_machine

from sandbox.stripe.server import SandboxServer
from sandbox.stripe.worker import do_due_work
from sandbox.tests.stripe.shop import Shop


def test_open_session_expires_after_its_time_and_paid_one_does_not() -> None:
    server = SandboxServer()
    server.start()
    shop = Shop(server)
    left, paid = shop.open_session(), shop.open_session()
    shop.control.pay_session(paid.id)

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=24, minutes=1)):
        do_due_work(server.sandbox)

    assert shop.read_session(left.id).status == "expired"
    assert shop.read_session(paid.id).status == "complete"
    assert shop.event_types().count("checkout.session.expired") == 1
    server.stop()
