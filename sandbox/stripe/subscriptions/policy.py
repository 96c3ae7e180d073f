"""What happens when an invoice is not paid: how often it is tried again, and what comes then."""

from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.calendar import DAY_SECONDS

LastStep: TypeAlias = Literal["canceled", "unpaid", "past_due"]

_SWITCH_ID = "sandbox_dunning_switch"


@dataclass(frozen=True)
class DunningPolicy:
    """After how many days a failed invoice is tried again, and what its subscription becomes when all tries failed."""

    retry_days: tuple[int, ...] = (1, 3, 5, 7)
    then: LastStep = "canceled"


def read_policy(sandbox: Sandbox) -> DunningPolicy:
    """The policy as it is now."""
    stored = sandbox.store.get(_SWITCH_ID)
    if stored is None:
        return DunningPolicy()
    settings = stored["settings"]
    return DunningPolicy(tuple(settings["retry_days"]), settings["then"])


def save_policy(sandbox: Sandbox, policy: DunningPolicy) -> None:
    """Change the policy for the failures to come."""
    sandbox.store.put({"id": _SWITCH_ID, "object": "sandbox.switch", "settings": asdict(policy)})


def plan_retries(sandbox: Sandbox, invoice: Resource) -> None:
    """Note in an invoice that failed when it is tried again; the first failure plans all tries."""
    now = sandbox.now()
    if "_retries" not in invoice:
        invoice["_retries"] = [now + days * DAY_SECONDS for days in read_policy(sandbox).retry_days]
    invoice["_retries"] = [at for at in invoice["_retries"] if at > now]
    invoice["next_payment_attempt"] = next(iter(invoice["_retries"]), None)
