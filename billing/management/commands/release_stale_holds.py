"""`manage.py release_stale_holds`: end the holds whose time is over."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from billing.management.billing_command import EXIT_FINDINGS, BillingCommand, read_count
from billing.services.holds import expire_stale_holds


class Command(BillingCommand):
    """Safe at any time and twice at once: each hold ends under the lock on its customer's balance, and only once."""

    help = (
        "Ends holds whose time is over, so that their credits can be spent again. The sweeper does the same every few "
        "seconds. The work behind such a hold may still be settled for 24 hours. Exit code 0: done, 1: some "
        "customers' books do not add up (run reconcile_ledger), 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=read_count, default=1000, help="Holds at most (default: 1000).")
        parser.add_argument("--dry-run", action="store_true", help="Only count the holds that would end.")
        parser.add_argument("--json", action="store_true", help="One JSON document instead of a line.")

    def handle(self, *, limit: int, dry_run: bool, json: bool, **options: Any) -> None:
        try:
            count = expire_stale_holds(now=timezone.now(), limit=limit, dry_run=dry_run)
        except RuntimeError as broken:
            self.stderr.write(str(broken))
            sys.exit(EXIT_FINDINGS)
        self.tell(count=count, dry_run=dry_run, as_json=json)

    def tell(self, *, count: int, dry_run: bool, as_json: bool) -> None:
        """Print how many holds ended, or would."""
        if as_json:
            self.stdout.write(json.dumps({"holds": count, "dry_run": dry_run}))
        else:
            self.stdout.write(f"{count} holds {'would end' if dry_run else 'ended'}.")
