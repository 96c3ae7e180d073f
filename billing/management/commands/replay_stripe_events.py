"""`manage.py replay_stripe_events`: work stored events off once more."""

import json
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management import CommandError

from billing.management.billing_command import BillingCommand
from billing.models import EventState, StripeEvent
from billing.services.gateway import configured_gateway
from billing.webhooks.inbox import work_off_event
from billing.webhooks.replay import find_events_to_replay, replay_event

_REPLAYABLE = [state.value for state in EventState if state is not EventState.IGNORED]


class Command(BillingCommand):
    """Safe at any time and twice at once: an event that was worked off already changes nothing."""

    help = (
        "Works stored Stripe events off again, chosen by id, type, time or state (all filters given must fit). Ignored "
        "events are never replayed: they may not be trusted. Exit code 0: all are done, 1: some are not, 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--id", action="append", default=[], help="An event's id (evt_…); may be given again.")
        parser.add_argument("--type", action="append", default=[], help="Such as checkout.session.completed; again.")
        parser.add_argument("--since", type=_read_time, help="Made at this time or later: 2026-11-20 or an ISO time.")
        parser.add_argument("--until", type=_read_time, help="Made before this time.")
        parser.add_argument("--state", action="append", default=[], choices=_REPLAYABLE, help="Such as dead; again.")
        parser.add_argument("--dry-run", action="store_true", help="Only tell which events would be replayed.")
        parser.add_argument("--json", action="store_true", help="One JSON document instead of lines.")

    def handle(self, *, dry_run: bool, json: bool, **options: Any) -> None:
        if not any(options[name] for name in ("id", "type", "since", "until", "state")):
            raise CommandError("Say which events: --id, --type, --since, --until or --state.", returncode=2)
        chosen = list(
            find_events_to_replay(
                event_ids=options["id"],
                types=options["type"],
                since=options["since"],
                until=options["until"],
                states=options["state"],
            )
        )
        unknown = sorted(set(options["id"]) - {event.event_id for event in chosen})
        states = {event.event_id: event.state if dry_run else self.replay(event) for event in chosen}
        self.tell(chosen=chosen, states=states, unknown=unknown, as_json=json)
        if unknown or (not dry_run and any(state != EventState.DONE for state in states.values())):
            sys.exit(1)

    def replay(self, event: StripeEvent) -> str:
        """The state in which the event ends now; a worker may be faster than we are."""
        replay_event(event_id=event.event_id)
        work_off_event(event_id=event.event_id, gateway=configured_gateway())
        event.refresh_from_db(fields=["state", "reason"])
        return event.state

    def tell(self, *, chosen: list[StripeEvent], states: dict[str, str], unknown: list[str], as_json: bool) -> None:
        """Print what became of each event."""
        if as_json:
            rows = [
                {"id": event.event_id, "type": event.type, "state": states[event.event_id], "reason": event.reason}
                for event in chosen
            ]
            self.stdout.write(json.dumps({"events": rows, "unknown": unknown}, indent=2))
            return
        for event in chosen:
            self.stdout.write(f"{event.event_id} {event.type}: {states[event.event_id]} {event.reason}".rstrip())
        for event_id in unknown:
            self.stdout.write(f"{event_id}: not stored, or ignored, or kept out by another filter")
        self.stdout.write(f"{len(chosen)} events.")


def _read_time(text: str) -> datetime:
    """A time given by hand; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
