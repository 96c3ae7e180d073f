"""Runs the steps, cleans up whatever they made, and stores what was seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from billing.gateway.conformance import ConformanceAccount
from sandbox.conformance import steps, subscribing
from sandbox.conformance.account import Difference, Observer, StepSkipped
from sandbox.conformance.steps import World

Outcome = Literal["agrees", "differs", "skipped"]
STEPS: Final[tuple[Callable[[World], None], ...]] = (
    steps.start_test_clock,
    steps.create_customers,
    steps.create_catalog,
    steps.open_and_expire_checkout,
    steps.pay,
    steps.decline,
    steps.ask_for_authentication,
    steps.refund,
    steps.dispute,
    subscribing.subscribe,
    subscribing.renew,
    subscribing.upgrade,
    subscribing.credit,
    subscribing.cancel,
    steps.list_events,
)


@dataclass(frozen=True, slots=True)
class StepReport:
    """What became of one step: `details` says what differs, or why it was left out."""

    name: str
    outcome: Outcome
    details: list[str] = field(default_factory=list)


def run_steps(*, account: ConformanceAccount, directory: Path) -> list[StepReport]:
    """Every step after the other, then the cleaning up; what each one saw is a file in `directory`, without secrets.

    Raises:
        ConnectionError: the other side cannot be reached, or does not take the key; what was made is still cleaned up
            as far as possible.
    """
    world = World(observer=Observer(account))
    directory.mkdir(parents=True, exist_ok=True)
    reports = []
    try:
        for number, step in enumerate(STEPS, start=1):
            reports.append(_run(step, world))
            _store(directory / f"{number:02d}-{step.__name__}.json", reports[-1], world)
    finally:
        reports.append(clean_up(world))
    return reports


def new_directory(*, base: Path, now: datetime) -> Path:
    """Where a run stores what it saw."""
    return base / "conformance" / f"{now:%Y-%m-%dT%H%M%SZ}"


def clean_up(world: World) -> StepReport:
    """End and delete whatever was made. A clock takes its customers and their subscriptions with it."""
    ids, left = world.ids, []
    requests = [
        ("post", f"/v1/prices/{ids[name]}", {"active": False}) for name in ("price", "pro", "pro_plus") if name in ids
    ]
    if "subscription" in ids:
        requests.insert(0, ("delete", f"/v1/subscriptions/{ids['subscription']}", {}))
    if "product" in ids:
        requests.append(("post", f"/v1/products/{ids['product']}", {"active": False}))
    if "customer" in ids:
        requests.append(("delete", f"/v1/customers/{ids['customer']}", {}))
    if "clock" in ids:
        requests.append(("delete", f"/v1/test_helpers/test_clocks/{ids['clock']}", {}))
    world.observer.seen.clear()
    world.observer.breaches.clear()
    for method, path, params in requests:
        try:
            world.observer.ask(method, path, **params)
        except (Difference, StepSkipped, ConnectionError) as fault:
            left.append(str(fault))
    return StepReport("clean_up", "differs" if left else "agrees", left)


def _run(step: Callable[[World], None], world: World) -> StepReport:
    world.observer.seen.clear()
    world.observer.breaches.clear()
    try:
        step(world)
    except StepSkipped as reason:
        return StepReport(step.__name__, "skipped", [str(reason)])
    except (Difference, ValueError, KeyError) as fault:  # what parsing cannot read is a difference, too
        return StepReport(step.__name__, "differs", [f"{type(fault).__name__}: {fault}", *world.observer.breaches])
    breaches = list(world.observer.breaches)
    return StepReport(step.__name__, "differs" if breaches else "agrees", breaches)


def _store(path: Path, report: StepReport, world: World) -> None:
    document = {**asdict(report), "seen": world.observer.seen}
    path.write_text(json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8")
