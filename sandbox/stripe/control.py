"""The levers of the sandbox, for tests, for the control page and for the JSON API alike."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sandbox.stripe.afterwards import AfterwardsLevers
from sandbox.stripe.checkout.cards import FAILING_ACCOUNT, known_card
from sandbox.stripe.checkout.locating import Location
from sandbox.stripe.checkout.paying import (
    Attempt,
    Payer,
    apply_code,
    authenticate,
    locate_customer,
    pay_by_bank_debit,
    pay_by_card,
    pay_free,
    settle_delayed,
)
from sandbox.stripe.checkout.subscribing import asks_for_card
from sandbox.stripe.credit_note_levers import CreditNoteLevers
from sandbox.stripe.deliveries import (
    DeliverySwitch,
    SignatureKind,
    make_delivery,
    plan_deliveries,
    read_switch,
    render_payload,
    save_switch,
    signature_header,
)
from sandbox.stripe.faults import Fault, FaultKind
from sandbox.stripe.invoice_levers import InvoiceLevers
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.checkout_sessions import expire_session
from sandbox.stripe.objects.webhook_endpoints import set_endpoint
from sandbox.stripe.records import Resource, public
from sandbox.stripe.saved_cards import SavedCardLevers
from sandbox.stripe.store import Condition
from sandbox.stripe.subscribing import SubscribingLevers


@dataclass(frozen=True)
class SignedEvent:
    """What an endpoint would get: the body and its signature, ready to be posted by a test."""

    id: str
    type: str
    payload: bytes
    signature: str


class Control(AfterwardsLevers, SavedCardLevers, SubscribingLevers, InvoiceLevers, CreditNoteLevers):
    """Pays, settles and expires sessions, and decides what goes wrong. Each call is one step of the state machine."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._taken_through = 0

    # -- sessions

    def pay_session(
        self,
        session_id: str,
        *,
        card: str = "4242424242424242",
        method: Literal["card", "bank_debit"] = "card",
        email: str | None = None,
        code: str | None = None,
        country: str | None = None,
        tax_id: str = "",
        name: str | None = None,
        authenticate: bool | None = True,
        settles: bool = True,
    ) -> Attempt:
        """Do what a customer does on the checkout page.

        ``code`` is a promotion code (FREE100 makes the session free). ``country`` and ``tax_id`` are what a page that
        computes tax is told; without them it is told of somebody in the United States. A card that asks for 3-D Secure
        is authenticated, or fails it with ``authenticate=False``, or is left waiting with ``None``. ``settles`` is how
        a bank debit will end if the sandbox settles it by itself.
        """
        payer = Payer(email=email, name=name)
        with self.sandbox.work():
            if code is not None and not apply_code(self.sandbox, session_id, code):
                raise ValueError(f"The session does not take the code {code}.")
            session = self.sandbox.require("checkout.session", session_id)
            is_unknown = session["automatic_tax"]["status"] == "requires_location_inputs"
            if country or is_unknown:
                locate_customer(self.sandbox, session_id, Location(country or "US", tax_id=tax_id))
            if not asks_for_card(self.sandbox, self.sandbox.require("checkout.session", session_id)):
                return pay_free(self.sandbox, session_id, payer=payer)
            if method == "bank_debit":
                account = "000123456789" if settles else FAILING_ACCOUNT
                return pay_by_bank_debit(self.sandbox, session_id, payer=payer, account=account)
            today = datetime.now(UTC).date()
            chosen = known_card("".join(card.split()), today=today)
            attempt = pay_by_card(self.sandbox, session_id, card=chosen, payer=payer)
        if attempt.outcome == "asks_authentication" and authenticate is not None:
            return self.authenticate_session(session_id, succeed=authenticate)
        return attempt

    def authenticate_session(self, session_id: str, *, succeed: bool) -> Attempt:
        """End the 3-D Secure step that a session waits for."""
        with self.sandbox.work():
            return authenticate(self.sandbox, session_id, succeed=succeed)

    def settle_delayed(self, session_id: str, *, succeed: bool = True) -> Resource:
        """Let the money of a bank debit come, or fail. Returns the session."""
        with self.sandbox.work():
            return public(settle_delayed(self.sandbox, session_id, succeed=succeed))

    def expire_session(self, session_id: str) -> Resource:
        """Expire an open session. Returns it."""
        with self.sandbox.work():
            return public(expire_session(self.sandbox, session_id))

    # -- objects and events

    def get_object(self, object_id: str) -> Resource | None:
        """Any object by its id, as the API shows it."""
        with self.sandbox.work():
            found = self.sandbox.store.get(object_id)
            return public(found) if found else None

    def list_objects(self, kind: str, *, limit: int | None = None) -> list[Resource]:
        """Objects of a kind (``"charge"``, ``"sandbox.delivery"`` …), newest first."""
        with self.sandbox.work():
            return [public(found) for found in self.sandbox.store.find(kind, limit=limit)]

    def list_events(self, *types: str) -> list[Resource]:
        """Events of these types, or all, in the order in which they happened."""
        events = self.list_objects("event")[::-1]
        return [event for event in events if not types or event["type"] in types]

    def sign_event(
        self, event: Resource | str, *, secret: str | list[str], signature: SignatureKind = "good"
    ) -> SignedEvent:
        """An event with a signature made now by these secrets; ``wrong`` and ``old`` ones must be refused."""
        found = self.get_object(event) if isinstance(event, str) else event
        if found is None:
            raise ValueError(f"No event {event}.")
        secrets = [secret] if isinstance(secret, str) else secret
        payload = render_payload(found)
        header = signature_header(self.sandbox, endpoint={"_secrets": secrets}, payload=payload, signature=signature)
        return SignedEvent(found["id"], found["type"], payload, header)

    def take_events(self, *, secret: str | list[str]) -> list[SignedEvent]:
        """The events since the last call, signed, for a test that posts them itself in any order."""
        with self.sandbox.work():
            events = self.sandbox.store.find("event", above=self._taken_through)[::-1]
            if events:
                self._taken_through = self.sandbox.store.sequence_of(events[-1]["id"], kind="event") or 0
        return [self.sign_event(event, secret=secret) for event in events]

    # -- deliveries

    def add_endpoint(self, url: str, *, secrets: str | list[str]) -> Resource:
        """An endpoint for all events. With two secrets each delivery is signed by both, as while one is rotated."""
        with self.sandbox.work():
            listed = [secrets] if isinstance(secrets, str) else secrets
            return public(set_endpoint(self.sandbox, url=url, secrets=listed))

    def set_deliveries(self, **settings: Any) -> DeliverySwitch:
        """Change how events leave from now on: the fields of ``DeliverySwitch``; the others stay."""
        with self.sandbox.work():
            switch = replace(read_switch(self.sandbox), **settings)
            save_switch(self.sandbox, switch)
            return switch

    def read_deliveries(self) -> DeliverySwitch:
        """How events leave now."""
        with self.sandbox.work():
            return read_switch(self.sandbox)

    def release_deliveries(self, *, newest_first: bool = False) -> int:
        """Deliver now, one after the other, what was collected. Returns how many were tried."""
        held = [delivery for delivery in self.list_objects("sandbox.delivery") if delivery["state"] == "held"]
        for delivery in held if newest_first else held[::-1]:
            make_delivery(self.sandbox, delivery["id"])
        return len(held)

    def resend_event(self, event_id: str, *, copies: int = 1, signature: SignatureKind = "good") -> None:
        """Plan new deliveries of an event to every endpoint, whatever the switch says."""
        with self.sandbox.work():
            event = self.sandbox.require("event", event_id)
            switch = read_switch(self.sandbox)
            save_switch(self.sandbox, DeliverySwitch(copies=copies, signature=signature))
            for endpoint in self.sandbox.store.find("webhook_endpoint"):
                plan_deliveries(self.sandbox, event=event, endpoint=endpoint)
            save_switch(self.sandbox, switch)

    def drop_event(self, event_id: str) -> None:
        """Lose the deliveries of an event that have not been made."""
        self._move_open_deliveries(event_id, state="dropped", due_at=None)

    def delay_event(self, event_id: str, *, seconds: float) -> None:
        """Make the deliveries of an event that have not been made later than planned."""
        due_at = datetime.now(UTC).timestamp() + seconds
        self._move_open_deliveries(event_id, state="pending", due_at=due_at)

    def _move_open_deliveries(self, event_id: str, *, state: str, due_at: float | None) -> None:
        with self.sandbox.work():
            self.sandbox.require("event", event_id)
            for delivery in self.sandbox.store.find("sandbox.delivery", [Condition("event", "=", event_id)]):
                if delivery["state"] in ("pending", "held"):
                    self.sandbox.store.put({**delivery, "state": state}, due_at=due_at)

    # -- faults

    def add_fault(
        self, kind: FaultKind, *, method: str = "", path: str = "", times: int = 1, seconds: float = 0.0
    ) -> None:
        """Let something go wrong with the next requests that match: see ``Fault``."""
        self.sandbox.faults.add(Fault(kind, method, path, times, seconds))

    def fail_reads(self, *, percent: float) -> None:
        """Let this share of all GET requests fail with a 500."""
        self.sandbox.faults.failing_reads_percent = percent

    def clear_faults(self) -> None:
        """Nothing goes wrong any more, and events leave as they should."""
        self.sandbox.faults.clear()
        with self.sandbox.work():
            save_switch(self.sandbox, DeliverySwitch())

    def list_breaches(self) -> list[str]:
        """Where a request, an answer or an event broke the contract."""
        return list(self.sandbox.breaches)

    def reset(self) -> None:
        """Forget all objects, faults and breaches."""
        self.sandbox.faults.clear()
        with self.sandbox.work():
            self.sandbox.clear()
            self._taken_through = 0
        self.sandbox.breaches.clear()
