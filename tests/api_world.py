"""What exists while cases made from the schema are tried, and how a valid case is made to name it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Permission
from django.utils import timezone
from schemathesis import Case

from accounts.api_keys import issue_key
from accounts.models import User
from billing.api.shapes import entry_id
from billing.kinds import EntryKind
from billing.models import BillingCustomer, LedgerEntry, Plan
from billing.money import CREDIT_STEP
from billing.services.catalog import sync_catalog
from billing.services.customers import create_external_customer, ensure_customer
from billing.services.gateway import configured_gateway
from billing.services.holds import place_hold
from billing.services.key_limits import placed_by_key
from billing.services.posting import Posting, post
from billing.services.webhook_endpoints import create_endpoint
from billing.tests.prices import make_operation_price, make_price
from billing.tests.shop import make_pack
from billing.tests.vouchers import make_batch
from usage.services.recording import Recorder, record_events
from usage.services.summaries import request_summary
from usage.services.summary_sources import read_source

MODEL: Final = "gpt-5-mini"
OPERATION: Final = "image"
PACK: Final = "standard"
PLAN: Final = "pro"
EXTERNAL_ID: Final = "acme"
DIFF: Final = "--- a/greeting.py\n+++ b/greeting.py\n@@ -1 +1 @@\n-print('Hi')\n+print('{}')\n"
PLENTY: Final = Decimal(10) ** 9
SHORTEST_LIMIT: Final = 50  # of the names that a body may have
_WORD: Final = re.compile(r"[-0-9A-Z_a-z]+")
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class World:
    """A caller who may do everything, with enough credits, and one thing of each kind."""

    secret: str
    caller: BillingCustomer
    placed_by: str
    made: dict[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}

    def new_hold(self) -> str:
        """An open hold of the caller's key."""
        hold = place_hold(
            customer_id=self.caller.pk, amount=Decimal(5), key=f"api:world-{next(_numbers)}", placed_by=self.placed_by
        )
        return hold.public_id

    def tame(self, case: Case[Any]) -> None:
        """Let a valid case name what exists, and ask for amounts that there are."""
        for name in case.path_parameters or {}:
            case.path_parameters[name] = self.new_hold() if name == "hold" else self.made[name]
        headers: dict[str, Any] = {} if case.headers is None else case.headers  # type: ignore[assignment]
        if "Billing-Customer" in headers:
            if "hold" in (case.path_parameters or {}):
                del headers["Billing-Customer"]
            else:
                headers["Billing-Customer"] = EXTERNAL_ID
        if case.path_parameters:
            headers.pop("Billing-Customer", None)
        if "Idempotency-Key" in headers:
            headers["Idempotency-Key"] = uuid4().hex
        for name in ("starting_after", "ending_before", "customer"):
            (case.query or {}).pop(name, None)
        if isinstance(case.body, dict):
            case.body = self._tame_body(case.body)

    def point(self, case: Case[Any]) -> None:
        """Let a broken case name what exists wherever it names anything: its fault must not hide behind a 404."""
        for name, value in (case.path_parameters or {}).items():
            if isinstance(value, str) and _WORD.fullmatch(value):
                case.path_parameters[name] = self.new_hold() if name == "hold" else self.made[name]
        if isinstance(case.body, dict):
            known = {"model": MODEL, "operation": OPERATION, "pack": PACK, "customer": self.made["customer"]}
            known["code"] = self.made["code"]
            named = {name: value for name, value in case.body.items() if isinstance(value, str) and value.strip()}
            short = {name for name, value in named.items() if name in known and len(value) <= SHORTEST_LIMIT}
            case.body = {**case.body, **{name: known[name] for name in short}}

    def _tame_body(self, body: dict[str, Any]) -> dict[str, Any]:
        known = {
            "model": MODEL,
            "operation": OPERATION,
            "pack": PACK,
            "customer": EXTERNAL_ID,
            "amount": "2.5",
            "note": "Because",
            "description": "Work",
            "ticket": "https://desk.example.com/1",
            "reason_code": "goodwill",
            "external_id": "world-1",
            "email": "world@example.com",
        }
        tamed = {name: known.get(name, value) for name, value in body.items()}
        if "customer" in body:
            tamed["customer"] = self.made["customer"]
        if "repository" in body or "diff" in body:
            return {"diff": DIFF.format(next(_numbers))}
        if "pack" in body:
            tamed.pop("plan", None)  # one of the two
        elif "plan" in body and "flow" not in body:
            tamed["plan"] = PLAN
        if "flow" in body or "return_url" in body:
            tamed = {"flow": "manage"}
        if "code" in body:
            tamed["code"] = self.made["code"]
        if "url" in body:
            return {**tamed, "url": f"https://hooks.example.com/{next(_numbers)}", "events": ["balance.low"]}
        if isinstance(body.get("events"), list):
            tamed["events"] = [self._tame_event(event) for event in body["events"]]
        return tamed

    def _tame_event(self, event: dict[str, Any]) -> dict[str, Any]:
        tamed = {**self._tame_body(event), "id": f"world-{next(_numbers)}", "occurred_at": None}
        if "input_tokens" in event:
            tamed |= {"input_tokens": 12, "cached_tokens": 2, "output_tokens": 3}
        return tamed


def make_world() -> World:
    """The world at its beginning."""
    staff = User.objects.create_user("staff@example.com", "a staff password", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=("adjust_credits", "view_ledgerentry")))
    key = issue_key(user=staff, name="All", scopes=("read", "spend", "customers"), created_by=staff)
    caller = ensure_customer(user=staff)
    acme, _ = create_external_customer(external_id=EXTERNAL_ID, email=None)
    for customer in (caller, acme):
        posting = Posting(customer_id=customer.pk, kind=EntryKind.PROMOTION, amount=PLENTY, key="grant:world")
        post(posting=posting)
    make_price(model=MODEL)
    make_operation_price(operation=OPERATION)
    make_pack(slug=PACK)
    Plan.objects.create(slug=PLAN, name="Pro", rank=1, credits=20_000, price_minor=1900)
    list(sync_catalog(gateway=configured_gateway(), dry_run=False))
    world = World(key.text, caller, placed_by_key(key.key))
    recorder = Recorder(customer_id=caller.pk, api_key=key.key, placed_by=world.placed_by, is_work_done=False)
    event = {"id": "first", "model": MODEL, "input_tokens": 1, "output_tokens": 1}
    [recorded] = record_events(recorder=recorder, events=[event])
    summary = request_summary(customer_id=caller.pk, source=read_source(diff=DIFF.format("Hello")), api_key=key.key)
    endpoint = create_endpoint(customer=None, url="https://hooks.example.com/world", events=["balance.low"])
    entry = LedgerEntry.objects.filter(customer=caller).select_related("customer").latest("pk")
    EmailAddress.objects.create(user=staff, email=staff.email, primary=True, verified=True)
    voucher = make_batch(credits=CREDIT_STEP, uses_per_code=1_000_000, uses_per_customer=1_000_000)
    world.made.update(
        code=voucher.codes[0],
        customer=acme.public_id,
        entry=entry_id(entry),
        event=str(recorded.public_id),
        summary=summary.summary.public_id,
        endpoint=endpoint.endpoint.public_id,
    )
    assert timezone.now() - entry.created_at < timedelta(minutes=1)
    return world
