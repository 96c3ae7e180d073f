"""`manage.py redact_stripe_events`: take personal data out of old webhooks."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.utils import timezone

from billing.management.billing_command import BillingCommand, read_count, read_time
from billing.services.redaction import find_events_to_redact, redact_old_events


class Command(BillingCommand):
    """Safe at any time and twice at once: what is redacted stays redacted, and a redacted event can be replayed."""

    help = (
        "Takes names, addresses, telephone numbers and e-mail out of stored Stripe events that are older than "
        "WEBHOOK_BODY_RETENTION_DAYS, or were received before a time of yours. Ids and amounts stay, so the events can "
        "still be replayed. The schedule does the same every night. Exit code 0: done, 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--before", type=read_time, help="Received before this time, instead of the setting's age.")
        parser.add_argument("--limit", type=read_count, default=10**9, help="So many events at most.")
        parser.add_argument("--dry-run", action="store_true", help="Only count them.")
        parser.add_argument("--json", action="store_true", help="One JSON document instead of a line.")

    def handle(self, *, before: datetime | None, limit: int, dry_run: bool, json: bool, **options: Any) -> None:
        now = timezone.now()
        if dry_run:
            count = min(limit, find_events_to_redact(now=now, before=before).count())
        else:
            count = redact_old_events(now=now, before=before, limit=limit)
        self.tell(count=count, is_dry=dry_run, as_json=json)

    def tell(self, *, count: int, is_dry: bool, as_json: bool) -> None:
        """Print how many events were redacted, or would be."""
        if as_json:
            self.stdout.write(json.dumps({"events": count, "dry_run": is_dry}))
            return
        self.stdout.write(f"{count} events {'would be ' if is_dry else ''}redacted.")
