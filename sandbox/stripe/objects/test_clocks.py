"""Stripe's test clocks, as far as one clock can be several: to advance one moves the sandbox's by as much."""

from sandbox.stripe.calls import Call
from sandbox.stripe.clock import advance_clock
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.lists import list_page
from sandbox.stripe.records import Resource, new_id
from sandbox.stripe.store import Condition
from sandbox.stripe.subscriptions.calendar import DAY_SECONDS
from sandbox.stripe.subscriptions.leaving import remove_customer

_KEPT_SECONDS = 30 * DAY_SECONDS


def create_test_clock(call: Call) -> Resource:
    """A new clock. What time it shows is noted only: objects are made at the sandbox's."""
    if "customer" in call.params:
        raise ApiError("The sandbox makes test clocks without a customer only.", param="customer")
    clock: Resource = {
        "id": new_id("clock"),
        "object": "test_helpers.test_clock",
        "created": call.sandbox.now(),
        "deletes_after": call.sandbox.now() + _KEPT_SECONDS,
        "frozen_time": call.params["frozen_time"],
        "livemode": False,
        "name": call.params.get("name"),
        "status": "ready",
        "status_details": {},
    }
    call.sandbox.store.put(clock)
    emit_event(call.sandbox, "test_helpers.test_clock.created", clock)
    return clock


def retrieve_test_clock(call: Call) -> Resource:
    """A test clock."""
    return call.find("test_helpers.test_clock")


def advance_test_clock(call: Call) -> Resource:
    """The clock at a later time; everything that was due until then is done."""
    clock = call.find("test_helpers.test_clock")
    seconds = call.params["frozen_time"] - clock["frozen_time"]
    if seconds <= 0:
        raise ApiError("Invalid frozen_time: must be after the time that the clock shows.", param="frozen_time")
    clock |= {
        "status": "advancing",
        "status_details": {"advancing": {"target_frozen_time": call.params["frozen_time"]}},
    }
    emit_event(call.sandbox, "test_helpers.test_clock.advancing", clock)
    advance_clock(call.sandbox, to=call.sandbox.time() + seconds)
    clock |= {"status": "ready", "status_details": {}, "frozen_time": call.params["frozen_time"]}
    call.sandbox.store.put(clock)
    emit_event(call.sandbox, "test_helpers.test_clock.ready", clock)
    return clock


def delete_test_clock(call: Call) -> Resource:
    """What is left of a deleted clock; its customers go with it."""
    clock = call.find("test_helpers.test_clock")
    for customer in call.sandbox.store.find("customer", [Condition("test_clock", "=", clock["id"])]):
        remove_customer(call.sandbox, customer["id"])
    call.sandbox.store.remove(clock["id"])
    emit_event(call.sandbox, "test_helpers.test_clock.deleted", clock)
    return {"id": clock["id"], "object": "test_helpers.test_clock", "deleted": True}


def list_test_clocks(call: Call) -> Resource:
    """A page of test clocks."""
    return list_page(call.sandbox, kind="test_helpers.test_clock", url=call.path, params=call.params)
