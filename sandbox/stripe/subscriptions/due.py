"""What time brings to subscriptions: warnings, renewals, ends, retries."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sandbox.stripe.events import save_change
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource
from sandbox.stripe.store import Condition
from sandbox.stripe.subscriptions.dunning import retry_invoice
from sandbox.stripe.subscriptions.ending import end_subscription, expire_incomplete
from sandbox.stripe.subscriptions.renewing import end_period
from sandbox.stripe.subscriptions.starting import WILL_END_SECONDS, tell_of_trial_end

DueKind: TypeAlias = Literal["trial_warning", "period_end", "cancellation", "resumption", "expiry", "retry"]

_INCOMPLETE_SECONDS = 23 * 3600
_RENEWED = ("active", "trialing", "past_due", "unpaid")


@dataclass(frozen=True)
class Due:
    """Something that is due at a time, and how it is done."""

    at: int
    kind: DueKind
    act: Callable[[], object]


def find_due_steps(sandbox: Sandbox, *, until: float) -> list[Due]:
    """What each subscription waits for, and each invoice that is tried again until then; in no order."""
    running = ["active", "trialing", "past_due", "unpaid", "incomplete", "paused"]
    subscriptions = sandbox.store.find("subscription", [Condition("status", "=", running)])
    invoices = sandbox.store.find_due("invoice", now=until)
    retries = [_retry(sandbox, invoice) for invoice in invoices if invoice["status"] == "open"]
    return [*(due for found in subscriptions for due in _of_subscription(sandbox, found)), *retries]


def _of_subscription(sandbox: Sandbox, found: Resource) -> Iterator[Due]:
    if found["status"] == "incomplete":
        yield Due(found["created"] + _INCOMPLETE_SECONDS, "expiry", lambda: expire_incomplete(sandbox, found))
        return
    if found["status"] == "trialing" and not found.get("_is_trial_end_told"):
        at = max(found["created"], found["trial_end"] - WILL_END_SECONDS)
        yield Due(at, "trial_warning", lambda: tell_of_trial_end(sandbox, found))
    resumes_at = (found["pause_collection"] or {}).get("resumes_at")
    if resumes_at:
        yield Due(resumes_at, "resumption", lambda: _resume_collection(sandbox, found))
    if found["cancel_at"] and not found["cancel_at_period_end"]:
        yield Due(found["cancel_at"], "cancellation", lambda: end_subscription(sandbox, found))
    if found["status"] in _RENEWED:
        ends_at = min(item["current_period_end"] for item in found["items"]["data"])
        yield Due(ends_at, "period_end", lambda: end_period(sandbox, found))


def _retry(sandbox: Sandbox, invoice: Resource) -> Due:
    return Due(invoice["next_payment_attempt"], "retry", lambda: retry_invoice(sandbox, invoice))


def _resume_collection(sandbox: Sandbox, subscription: Resource) -> None:
    before = copy.deepcopy(subscription)
    subscription["pause_collection"] = None
    save_change(sandbox, subscription, before=before, event_type="customer.subscription.updated")
