"""Acts that happen at the same time, each on a thread and a connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connections

from billing.errors import BillingError

Result = TypeVar("Result")


def at_once(*acts: Callable[[], Result]) -> list[Result]:
    """What the acts give, in their order, when they start together; what one of them raises is raised here."""
    start = Barrier(len(acts))

    def run(act: Callable[[], Result]) -> Result:
        start.wait()
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def answers_at_once(*acts: Callable[[], Result]) -> list[Result | BillingError]:
    """What the acts give when they start together, refusals as they are."""
    return at_once(*[_answering(act) for act in acts])


def _answering(act: Callable[[], Result]) -> Callable[[], Result | BillingError]:
    def answer() -> Result | BillingError:
        try:
            return act()
        except BillingError as refusal:
            return refusal

    return answer
