"""`manage.py expire_credits`: expire what has lapsed, for customers who write nothing."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from billing.management.billing_command import EXIT_FINDINGS, BillingCommand, read_count
from billing.services.expiry import expire_lapsed_credits


class Command(BillingCommand):
    """Safe at any time and twice at once: each customer is done under the lock on its balance."""

    help = (
        "Expires credits whose time is over. The sweeper does the same every few seconds, and nobody can spend lapsed "
        "credits before. Credits that open holds keep stay until those end. Exit code 0: done, 1: some customers' "
        "books do not add up (run reconcile_ledger), 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=read_count, default=1000, help="Customers at most (default: 1000).")
        parser.add_argument("--dry-run", action="store_true", help="Only count the customers with lapsed credits.")
        parser.add_argument("--json", action="store_true", help="One JSON document instead of a line.")

    def handle(self, *, limit: int, dry_run: bool, json: bool, **options: Any) -> None:
        try:
            count = expire_lapsed_credits(now=timezone.now(), limit=limit, dry_run=dry_run)
        except RuntimeError as broken:
            self.stderr.write(str(broken))
            sys.exit(EXIT_FINDINGS)
        self.tell(count=count, dry_run=dry_run, as_json=json)

    def tell(self, *, count: int, dry_run: bool, as_json: bool) -> None:
        """Print how many customers were done, or would be looked at."""
        if as_json:
            self.stdout.write(json.dumps({"customers": count, "dry_run": dry_run}))
        else:
            verb = "would be looked at" if dry_run else "expired"
            self.stdout.write(f"{count} customers {verb}.")
