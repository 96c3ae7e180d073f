"""The movable clock: everything that becomes due on the way is done in order, each thing at its own time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.stripe.checkout.paying import settle_delayed
from sandbox.stripe.giving_back.refunding import end_refund
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.checkout_sessions import expire_session
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.due import find_due_steps

MOST_STEPS = 10_000  # a price of a day and a leap of decades would go on for ever


@dataclass(frozen=True)
class _Step:
    """Something that is due, and how it is done."""

    at: float
    act: Callable[[], object]


def advance_clock(sandbox: Sandbox, *, to: float) -> int:
    """Move the clock to a time and do everything that is due until then, one step at a time. Returns how many.

    Raises:
        ValueError: the time is past.
    """
    with sandbox.work():
        if to < int(sandbox.time()):
            raise ValueError("The clock goes forward only.")
    for done in range(MOST_STEPS):
        with sandbox.work():
            step = _next_step(sandbox, until=to)
            if step is None:
                sandbox.move_clock(max(to, sandbox.time()))
                return done
            with _standing_at(sandbox, step.at):
                step.act()
            sandbox.move_clock(max(step.at, sandbox.time()))
    raise ValueError(f"More than {MOST_STEPS} things are due: move the clock in smaller steps.")


def catch_up(sandbox: Sandbox) -> int:
    """Do what is due by now. Returns how many things were done."""
    return advance_clock(sandbox, to=sandbox.time())


def find_next_renewal(sandbox: Sandbox) -> int | None:
    """When the next subscription is renewed or ends, or its trial ends; None when there is none."""
    with sandbox.work():
        steps = [due for due in find_due_steps(sandbox, until=0) if due.kind == "period_end"]
    return min((due.at for due in steps), default=None)


def _next_step(sandbox: Sandbox, *, until: float) -> _Step | None:
    steps = [
        *(_Step(due.at, due.act) for due in find_due_steps(sandbox, until=until)),
        *(_session_step(sandbox, session) for session in sandbox.store.find_due("checkout.session", now=until)),
        *(_refund_step(sandbox, refund) for refund in sandbox.store.find_due("refund", now=until)),
    ]
    earliest = min(steps, key=lambda step: step.at, default=None)
    return earliest if earliest is not None and earliest.at <= until else None


def _session_step(sandbox: Sandbox, session: Resource) -> _Step:
    if session["status"] == "open":
        expires_at = float(session.get("_expires_at") or session["expires_at"])
        return _Step(expires_at, lambda: expire_session(sandbox, session["id"]))
    succeed = session["_settles_well"]
    return _Step(session["_settle_at"], lambda: settle_delayed(sandbox, session["id"], succeed=succeed))


def _refund_step(sandbox: Sandbox, refund: Resource) -> _Step:
    return _Step(refund["_ends_at"], lambda: end_refund(sandbox, refund, status=refund["_ends_as"]))


@contextmanager
def _standing_at(sandbox: Sandbox, at: float) -> Iterator[None]:
    """Let the clock stand at a time while what was due then is done."""
    before, sandbox.standing_at = sandbox.standing_at, at
    try:
        yield
    finally:
        sandbox.standing_at = before
