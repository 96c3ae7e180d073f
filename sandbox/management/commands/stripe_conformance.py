"""`manage.py stripe_conformance`: does Stripe still do what we rely on?"""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.utils import timezone

from billing.gateway.client import API_VERSION
from billing.gateway.conformance import ConformanceAccount
from billing.management.billing_command import BillingCommand
from sandbox.conformance.running import new_directory, run_steps

STRIPE = "https://api.stripe.com"
NOTHING_PROVEN = (
    "NOTHING WAS PROVEN: STRIPE_CONFORMANCE_KEY is not set. Put a test key (sk_test_…) of a Stripe account there that "
    "holds nothing else, or try the command itself on a stand-in: --api-base http://127.0.0.1:8010."
)


class Command(BillingCommand):
    """Makes objects of its own and removes them again, so it may run twice at once. Needs no database."""

    requires_system_checks = []
    help = (
        "Plays what the product does against a real Stripe test account (STRIPE_CONFORMANCE_KEY): a customer, prices, "
        "checkouts, payments, a decline, authentication, a refund, a dispute, a subscription with renewal by a test "
        "clock, upgrade and end. Every object is checked against the contract, and every fact that our parsing reads. "
        "What was seen is stored without secrets under var/conformance/. Exit code 0: all agrees, 1: something differs "
        "or was left out, 2: error, or nothing was proven because there is no key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--api-base",
            default=STRIPE,
            help="Another address than Stripe's: a stand-in, with any test key. Proves nothing about Stripe.",
        )
        parser.add_argument("--json", action="store_true", help="One JSON document instead of lines.")

    def handle(self, *, api_base: str, json: bool, **options: Any) -> None:
        is_stripe = api_base.rstrip("/") == STRIPE
        key = settings.STRIPE_CONFORMANCE_KEY or ("" if is_stripe else "sk_test_conformance")
        if not key:
            raise CommandError(NOTHING_PROVEN, returncode=2)
        try:
            account = ConformanceAccount(secret_key=key, api_base=api_base.rstrip("/"))
        except ValueError as fault:
            raise CommandError(f"STRIPE_CONFORMANCE_KEY: {fault}", returncode=2) from fault
        directory = new_directory(base=Path(settings.BASE_DIR) / "var", now=timezone.now())
        reports = run_steps(account=account, directory=directory)
        counts = Counter(report.outcome for report in reports)
        if json:
            self.tell_json(reports, directory=directory, is_stripe=is_stripe)
        else:
            for report in reports:
                self.stdout.write(f"{report.outcome:8} {report.name}")
                for detail in report.details:
                    self.stdout.write(f"         {detail}")
            self.stdout.write(f"{counts['agrees']} agree, {counts['differs']} differ, {counts['skipped']} left out.")
            self.stdout.write(f"What was seen: {directory}")
            if not is_stripe:
                self.stdout.write("This was a stand-in: nothing was proven about Stripe.")
        if counts["differs"] or counts["skipped"]:
            sys.exit(1)

    def tell_json(self, reports: list[Any], *, directory: Path, is_stripe: bool) -> None:
        """The whole run as one document."""
        document = {
            "api_version": API_VERSION,
            "is_stripe": is_stripe,
            "seen": str(directory),
            "steps": [asdict(report) for report in reports],
        }
        self.stdout.write(json.dumps(document, indent=2))
