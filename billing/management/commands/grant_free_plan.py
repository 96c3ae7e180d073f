"""`manage.py grant_free_plan`: this month's credits of the Free plan."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.utils import timezone

from billing.management.billing_command import BillingCommand
from billing.services.free_plan import grant_free_plan


class Command(BillingCommand):
    """Safe to run again and twice at once: nobody gets a month's credits twice."""

    help = (
        "Gives the free credits of this UTC month (FREE_PLAN_CREDITS) to verified customers who signed up before it, "
        "were seen in the last 60 days and pay for no plan. They expire with the month. Beat runs it every hour, so "
        "that a day that was missed is made up for. Exit code 0: done, 1: some customers' books do not add up (run "
        "reconcile_ledger), 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only count whom they are due.")
        parser.add_argument("--json", action="store_true", help="One JSON document instead of a line.")

    def handle(self, *, dry_run: bool, json: bool, **options: Any) -> None:
        with self.broken_books_are_findings():
            result = grant_free_plan(now=timezone.now(), dry_run=dry_run)
        if json:
            self.tell_json(asdict(result) | {"dry_run": dry_run})
        elif dry_run:
            self.stdout.write(f"{result.month}: due to {result.looked_at} customers.")
        else:
            self.stdout.write(f"{result.month}: granted to {result.granted} customers.")

    def tell_json(self, document: dict[str, Any]) -> None:
        """The outcome as one document."""
        self.stdout.write(json.dumps(document, indent=2))
