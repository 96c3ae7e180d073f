"""Old webhooks lose names, addresses and e-mail; ids and amounts stay, and they can still be replayed."""

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.gateway.parsing import parse_event
from billing.models import BillingCustomer, EventState, StripeEvent
from billing.services.redaction import redact_old_events
from billing.services.redaction_text import REDACTED, redact_json
from billing.tests.services.money_back import buy_thousand, posted
from billing.tests.shop import WEBHOOK_SECRET, deliver, make_pack, open_checkout, work_off_all
from billing.tests.webhooks.events import make_event, post_event
from sandbox.stripe.server import SandboxServer

DIRECTORY = os.environ.get("STRIPE_EVENTS_DIR", "")
PAYLOADS = sorted(Path(DIRECTORY).glob("*.json")) if DIRECTORY else []
EMAIL = re.compile(r"[\w.+-]+(?:@|%40)[\w-]+\.\w+")
PEOPLE = {
    "id": "cs_test_1",
    "amount_total": 1000,
    "customer": "cus_1",
    "customer_details": {
        "address": {"city": "Paris", "country": "FR", "line1": "1 rue X", "line2": None, "postal_code": "75001"},
        "email": "ada@example.com",
        "name": "Ada Lovelace",
        "phone": "+33 1 23 45 67 89",
        "tax_exempt": "none",
        "tax_ids": [{"type": "eu_vat", "value": "FR123"}],
    },
    "metadata": {"payment_id": "pay_1", "asked_by": "ada@example.com", "customer_id": "cus_ours"},
    "payment_intent": "pi_1",
    "shipping": {"name": "Ada", "phone": 123, "amount": 700, "address": {"line1": "1 rue X"}},
    "note": "write to Ada.L%40example.co.uk today",
    "receipt_email": "ada@example.com",
    "billing_details": {"name": "Ada", "email": None},
    "evidence": {
        "customer_purchase_ip": "203.0.113.9",
        "receipt": "file_1Nv0FGQ9RKHgCVdK",
        "uncategorized_text": "Ada",
    },
    "business_name": "Ada & Co",
    "description": "For Ada",
    "amount_decimal": 10.50,
    "tax_ids": ["txi_1Nv0FGQ9RKHgCVdK"],
}


def values_of(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(tree, dict):
        for key, inner in tree.items():
            yield from values_of(inner, (*path, key))
    elif isinstance(tree, list):
        for number, inner in enumerate(tree):
            yield from values_of(inner, (*path, str(number)))
    else:
        yield path, tree


def test_people_are_taken_out_and_ids_and_amounts_stay() -> None:
    redacted = json.loads(redact_json(json.dumps(PEOPLE)))

    assert redacted["customer_details"]["address"] == {
        "city": REDACTED, "country": REDACTED, "line1": REDACTED, "line2": None, "postal_code": REDACTED,
    }  # fmt: skip
    for name in ("email", "name", "phone"):
        assert redacted["customer_details"][name] == REDACTED
    assert redacted["customer_details"]["tax_ids"] == [{"type": REDACTED, "value": REDACTED}]
    assert redacted["shipping"] == {"name": REDACTED, "phone": REDACTED, "amount": 700, "address": {"line1": REDACTED}}
    assert redacted["metadata"] == {"payment_id": "pay_1", "asked_by": REDACTED, "customer_id": "cus_ours"}
    assert redacted["evidence"]["receipt"] == "file_1Nv0FGQ9RKHgCVdK"
    assert redacted["evidence"]["uncategorized_text"] == REDACTED
    assert redacted["tax_ids"] == ["txi_1Nv0FGQ9RKHgCVdK"]
    assert redacted["billing_details"] == {"name": REDACTED, "email": None}
    for name in ("note", "receipt_email", "business_name", "description"):
        assert redacted[name] == REDACTED
    for name in ("id", "amount_total", "customer", "payment_intent", "amount_decimal"):
        assert redacted[name] == PEOPLE[name]
    assert not re.search("Ada|Paris|203.0.113", json.dumps(redacted))


@pytest.mark.parametrize(
    "text",
    [
        '{ "amount" : 1.50e2,\n\t"b":[ ],"c":{},"d":[{"e":[1,-2]},null,true] , "u":"\\u00e9\\"\\\\" }',
        '{"id": "evt_1", "data": {"object": {"id": "pi_1", "amount": 12345678901234567890}}}',
        '"alone"',
        "[]",
    ],
)
def test_what_is_not_personal_stays_byte_by_byte(text: str) -> None:
    assert redact_json(text) == text


def test_addresses_of_mail_are_seen_through_escapes_and_in_keys() -> None:
    redacted = redact_json('{"a": "ada\\u0040example.com", "ada@example.com": 1, "b": ["x", "Ada <ada@example.com>"]}')

    assert json.loads(redacted) == {"a": REDACTED, REDACTED: 1, "b": ["x", REDACTED]}


def test_twice_is_once() -> None:
    once = redact_json(json.dumps(PEOPLE))

    assert redact_json(once) == once


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        redact_json("{not json")


@pytest.mark.skipif(not DIRECTORY, reason="STRIPE_EVENTS_DIR names no directory of captured webhook payloads")
@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_captured_payload_keeps_ids_and_amounts_and_no_mail_address(path: Path) -> None:
    body = path.read_text()

    redacted = redact_json(body)

    assert not EMAIL.search(redacted.replace("\\u0040", "@"))
    before, after = dict(values_of(json.loads(body))), dict(values_of(json.loads(redacted)))
    assert before.keys() == after.keys()
    changed = {path: value for path, value in before.items() if after[path] != value}
    assert all(isinstance(value, str) and after[path] == REDACTED for path, value in changed.items())
    assert not [path for path, value in changed.items() if re.fullmatch(r"[a-z]{2,10}_[A-Za-z0-9_]{8,}", value)]
    assert not [path for path in changed if path[-1] == "id" or "amount" in path[-1]]
    envelope, plain = parse_event(json.loads(redacted)), parse_event(json.loads(body))
    assert (envelope.id, envelope.object_id, envelope.related_ids) == (plain.id, plain.object_id, plain.related_ids)


@pytest.mark.django_db
@pytest.mark.usefixtures("quiet_broker", "gateway")
class TestChore:
    @pytest.fixture
    def stored(self) -> StripeEvent:
        assert (
            post_event(make_event({"id": "cus_1", "object": "customer", "email": "ada@example.com"})).status_code == 200
        )
        return StripeEvent.objects.get()

    @pytest.mark.parametrize(("days", "count"), [(89, 0), (91, 1)])
    def test_only_old_events_are_redacted(self, stored: StripeEvent, *, days: int, count: int) -> None:
        assert redact_old_events(now=timezone.now() + timedelta(days=days)) == count

        stored.refresh_from_db()
        assert ("ada@example.com" in stored.body) is (count == 0)
        assert (stored.redacted_at is not None) is (count == 1)

    def test_age_is_a_setting(self, settings: Settings, stored: StripeEvent) -> None:
        settings.WEBHOOK_BODY_RETENTION_DAYS = 7

        assert redact_old_events(now=timezone.now() + timedelta(days=8)) == 1

    def test_second_run_finds_nothing(self, stored: StripeEvent) -> None:
        later = timezone.now() + timedelta(days=91)
        redact_old_events(now=later)

        assert redact_old_events(now=later) == 0

    def test_limit_holds_over_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("billing.services.redaction._BATCH", 2)
        for _ in range(7):
            post_event(make_event())
        later = timezone.now() + timedelta(days=91)

        assert redact_old_events(now=later, limit=5) == 5
        assert StripeEvent.objects.filter(redacted_at__isnull=True).count() == 2
        assert redact_old_events(now=later) == 2

    def test_traceback_and_reason_lose_what_they_quote(self, stored: StripeEvent) -> None:
        StripeEvent.objects.update(
            traceback="Traceback …\nValueError: Ada Lovelace", reason="ValueError: Ada Lovelace", state=EventState.DEAD
        )

        redact_old_events(now=timezone.now() + timedelta(days=91))

        stored.refresh_from_db()
        assert (stored.traceback, stored.reason) == (REDACTED, f"ValueError: {REDACTED}")

    def test_body_that_cannot_be_read_is_not_kept(self, stored: StripeEvent) -> None:
        StripeEvent.objects.update(body="{ada@example.com")

        redact_old_events(now=timezone.now() + timedelta(days=91))

        stored.refresh_from_db()
        assert stored.body == "{}"

    def test_command_redacts_before_a_time_and_tells_how_many(self, stored: StripeEvent) -> None:
        StripeEvent.objects.update(received_at=timezone.now() - timedelta(days=2))
        yesterday = timezone.now() - timedelta(days=1)
        for options, expected in [
            ({"dry_run": True, "json": True}, {"events": 1, "dry_run": True}),
            ({"json": True}, {"events": 1, "dry_run": False}),
        ]:
            out = StringIO()
            call_command("redact_stripe_events", before=yesterday, stdout=out, **options)
            assert json.loads(out.getvalue()) == expected
        out = StringIO()
        call_command("redact_stripe_events", stdout=out)
        assert out.getvalue() == "0 events redacted.\n"


@pytest.mark.django_db
@pytest.mark.usefixtures("quiet_broker")
def test_redacted_events_still_grant_what_was_paid(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer
) -> None:
    started = open_checkout(customer=customer, pack=make_pack(bonus_credits=0), gateway=gateway)
    stripe_sandbox.control.pay_session(started.session_id)
    for signed in stripe_sandbox.control.take_events(secret=WEBHOOK_SECRET):
        assert deliver(signed) == 200
    stored = StripeEvent.objects.count()

    assert redact_old_events(now=timezone.now() + timedelta(days=91)) == stored
    work_off_all(gateway)

    assert posted(customer) == 10_000
    assert not StripeEvent.objects.filter(body__contains=customer.user.email if customer.user else "@").exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("quiet_broker")
def test_replay_of_redacted_events_changes_nothing(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer
) -> None:
    payment = buy_thousand(sandbox=stripe_sandbox, gateway=gateway, customer=customer)
    redact_old_events(now=timezone.now() + timedelta(days=91))

    call_command("replay_stripe_events", state=["done"], stdout=StringIO())

    assert posted(customer) == 1000
    receipt = payment.receipt_url
    payment.refresh_from_db()
    assert (payment.receipt_url, payment.state) == (receipt, "paid")
    assert not StripeEvent.objects.exclude(state=EventState.DONE).exists()
