"""`manage.py reconcile_stripe`: compare with Stripe, both ways, and repair."""

import json
import sys
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management import CommandError
from django.utils import timezone

from billing.management.billing_command import EXIT_ERROR, EXIT_FINDINGS, BillingCommand, read_time
from billing.management.progress_bar import ProgressBar
from billing.models import ReconciliationFinding, ReconciliationRun
from billing.selectors.customers import find_customer
from billing.services.gateway import configured_gateway
from billing.services.reconciliation.collecting import difference_as_json, finding_as_json
from billing.services.reconciliation.shapes import GRACE, Counts, Difference, Progress, StripeScope
from billing.services.reconciliation.stripe_run import reconcile_with_stripe
from billing.webhooks.catching_up import inbox_of

DEFAULT_HOURS = 48


class Command(BillingCommand):
    """Safe at any time and twice at once: the same thing is one finding, and repairs converge."""

    help = (
        "Reads Stripe's checkout sessions, payment intents, charges, refunds, disputes, invoices, balance movements, "
        "customers and missed events, and compares them with our books, both ways. --repair converges what differs, "
        "as the webhooks would have; nothing is ever edited. Exit code 0: clean, or all repaired, 1: findings left, "
        "2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since", type=read_time, help="Made at this time or later (2026-11-20 or ISO). Default: 48 hours ago."
        )
        parser.add_argument("--until", type=read_time, help="Made before this time. Default: now.")
        parser.add_argument("--customer", help="Only this customer: e-mail address, cust_… or cus_… id.")
        parser.add_argument("--repair", action="store_true", help="Converge what differs, also what is minutes old.")
        parser.add_argument(
            "--dry-run", action="store_true", help="Write nothing, no run and no findings; with --repair too."
        )
        parser.add_argument("--json", action="store_true", help="One JSON document, written as it grows.")

    def handle(self, *, dry_run: bool, repair: bool, **options: Any) -> None:
        self.as_json, self.count = bool(options["json"]), 0
        self.bar = ProgressBar()
        now = timezone.now()
        since: datetime = options["since"] or (options["until"] or now) - timedelta(hours=DEFAULT_HOURS)
        if options["until"] and options["until"] <= since:
            raise CommandError("--until must be later than --since.", returncode=EXIT_ERROR)
        scope = StripeScope(
            since=since,
            until=options["until"],
            customer=find_customer(name=options["customer"]) if options["customer"] else None,
            repairs=repair,
            records=not dry_run,
            # What is repaired at once need not wait for its webhook.
            grace=timedelta(0) if repair else GRACE,
        )
        counts = self.reconcile(scope)
        if counts.left:
            sys.exit(EXIT_FINDINGS)

    def reconcile(self, scope: StripeScope) -> Counts:
        """Run it, and print what it tells."""
        gateway = configured_gateway()
        self.begin()
        try:
            run, counts = reconcile_with_stripe(
                scope=scope,
                gateway=gateway,
                inbox=inbox_of(gateway),
                tell_finding=self.tell_finding,
                tell_difference=self.tell_difference,
                tell_progress=self.tell_progress,
            )
        except BaseException as error:
            self.bar.clear()
            if self.as_json:
                self.stdout.write(f'\n], "clean": false, "error": {json.dumps(type(error).__name__)}}}')
            raise
        self.bar.clear()
        self.end(scope, run, counts)
        return counts

    def begin(self) -> None:
        """Open the document: findings are written into it one by one, so that it may be of any size."""
        if self.as_json:
            self.stdout.write('{"findings": [', ending="")

    def end(self, scope: StripeScope, run: ReconciliationRun | None, counts: Counts) -> None:
        """Close the document, or sum up in a line."""
        if self.as_json:
            rest = {
                "clean": not counts.findings,
                "run": run.pk if run else None,
                "state": run.state if run else "not recorded",
                "since": scope.since.isoformat(),
                "until": scope.until.isoformat() if scope.until else None,
                "repaired": counts.repaired,
                "left": counts.left,
                "counts": counts.as_json(),
            }
            self.stdout.write("\n], " + json.dumps(rest)[1:])
            return
        read = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.objects.items() if count)
        self.stdout.write(f"Read: {read or 'nothing'}.")
        for currency, sums in sorted(counts.balance.items()):
            self.stdout.write(
                f"Stripe's balance, {currency.upper()} in minor units: {sums['gross_minor']} gross, "
                f"{sums['fee_minor']} fees, {sums['net_minor']} net."
            )
        found = sum(counts.findings.values())
        self.stdout.write(
            f"{found} findings: {counts.repaired} repaired, {counts.left} left."
            if found
            else "Stripe and our books agree."
        )

    def tell_finding(self, finding: ReconciliationFinding) -> None:
        """Print a recorded finding as it is at the end of the run."""
        self.write_finding(finding_as_json(finding))

    def tell_difference(self, difference: Difference) -> None:
        """Print what a run that records nothing has found."""
        self.write_finding(difference_as_json(difference))

    def write_finding(self, row: dict[str, Any]) -> None:
        self.bar.clear()
        self.count += 1
        if self.as_json:
            self.stdout.write(("," if self.count > 1 else "") + "\n" + json.dumps(row), ending="")
        else:
            subject = row["payment"] or row["customer"] or "-"
            about = f"{subject} {row['stripe_id'] or ''}".strip()
            self.stdout.write(f"{row['severity']}: {row['kind']}: {about}: {row['detail']} [{row['state']}]")

    def tell_progress(self, progress: Progress) -> None:
        """Show how far a step has come."""
        self.bar.draw(
            label=progress.step.replace("_", " "),
            share=progress.share,
            note=f"{progress.count} read, {progress.findings} findings",
        )
