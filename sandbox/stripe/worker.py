"""The background worker: delivers events, settles delayed payments, ends refunds, expires sessions.

Where nothing ends by itself, as in tests, subscriptions are not renewed by itself either: ``advance_clock`` does it.
"""

import logging
import threading
import time

from sandbox.stripe.checkout.paying import settle_delayed
from sandbox.stripe.clock import catch_up
from sandbox.stripe.deliveries import make_due_deliveries
from sandbox.stripe.giving_back.refunding import end_refund
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.checkout_sessions import expire_session

logger = logging.getLogger("sandbox.stripe")

_LONGEST_PAUSE_SECONDS = 1.0  # the clock of a test may jump while it sleeps


class Worker(threading.Thread):
    """Does what is due, and sleeps until the next thing is, or until it is woken."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(name="sandbox-worker", daemon=True)
        self.sandbox = sandbox
        self._wake = threading.Event()
        self._is_stopping = False

    def run(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            try:
                tried = do_due_work(self.sandbox)
            except Exception:
                logger.exception("The sandbox's worker failed")
                tried = 0
            if not tried:
                self._wake.wait(self._pause_seconds())

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    def stop(self) -> None:
        """End after the delivery under way, if there is one."""
        self._is_stopping = True
        self._wake.set()
        self.join(timeout=15)

    def _pause_seconds(self) -> float:
        with self.sandbox.store.unit():
            due_at = self.sandbox.store.next_due_at()
        until_due = _LONGEST_PAUSE_SECONDS if due_at is None else max(0.01, due_at - time.time())
        return min(until_due, _LONGEST_PAUSE_SECONDS)


def do_due_work(sandbox: Sandbox) -> int:
    """Do everything that is due now. Returns how many things were done."""
    with sandbox.store.unit():
        due = sandbox.store.find_due("checkout.session", now=sandbox.time())
        refunds = sandbox.store.find_due("refund", now=sandbox.time())
    for session in due:
        with sandbox.work():
            current = sandbox.store.get(session["id"])
            if current and current["status"] == "open":
                expire_session(sandbox, session["id"])
            elif current and current.get("_settle_at"):
                settle_delayed(sandbox, session["id"], succeed=current["_settles_well"])
    for refund in refunds:
        with sandbox.work():
            latest = sandbox.store.get(refund["id"])
            if latest and "_ends_at" in latest:
                end_refund(sandbox, latest, status=latest["_ends_as"])
    renewed = 0 if sandbox.settle_after_seconds is None else catch_up(sandbox)
    return len(due) + len(refunds) + renewed + make_due_deliveries(sandbox)
