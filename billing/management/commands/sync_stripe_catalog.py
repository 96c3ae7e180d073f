"""`manage.py sync_stripe_catalog`: products and prices at Stripe for the packs and plans for sale."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management import CommandError

from billing.errors import StripeUnavailable
from billing.management.billing_command import BillingCommand
from billing.services.catalog import sync_catalog
from billing.services.catalog_changes import CatalogChange
from billing.services.gateway import configured_gateway


class Command(BillingCommand):
    """Safe to run again and twice at once: what fits is left alone, and idempotency keys keep out twins."""

    help = (
        "Creates a product and a price at Stripe for every pack and plan for sale and stores their ids; what has "
        "another price by now gets a new one, and its old one is deactivated (who subscribed at it keeps it). "
        "Configures the customer portal with the plans on offer: dearer ones at once, cheaper ones and cancellations "
        "at the end of the period; and a second one, without changes of plan, for customers whom nothing is sold to. "
        "Exit code 0: in line, 1: Stripe refused something, 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only tell what would be done.")
        parser.add_argument("--json", action="store_true", help="One JSON document instead of lines.")

    def handle(self, *, dry_run: bool, json: bool, **options: Any) -> None:
        changes: list[CatalogChange] = []
        try:
            for change in sync_catalog(gateway=configured_gateway(), dry_run=dry_run):
                changes.append(change)
                if not json:
                    self.tell(change, dry_run=dry_run)
        except StripeUnavailable as error:
            raise CommandError(str(error), returncode=2) from error
        if json:
            self.tell_json(changes, dry_run=dry_run)
        elif not changes:
            self.stdout.write("The catalog is in line.")
        if any(change.action == "refused" for change in changes):
            sys.exit(1)

    def tell(self, change: CatalogChange, *, dry_run: bool) -> None:
        """One line for one step."""
        prefix = "would " if dry_run else ""
        words = [f"{change.item}:", prefix + change.action.replace("_", " "), change.object_id, change.detail]
        self.stdout.write(" ".join(word for word in words if word))

    def tell_json(self, changes: list[CatalogChange], *, dry_run: bool) -> None:
        """All steps as one document."""
        self.stdout.write(json.dumps({"dry_run": dry_run, "changes": [asdict(change) for change in changes]}, indent=2))
