"""`manage.py reconcile_ledger`: recompute the ledger and name what does not agree."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from billing.management.billing_command import EXIT_ERROR, EXIT_FINDINGS, BillingCommand
from billing.models import BillingCustomer, RunTrigger
from billing.selectors.customers import find_customer
from billing.services.reconciliation.ledger_run import reconcile_ledger
from billing.services.verification import Finding, find_ledger_faults


class Command(BillingCommand):
    """Reads only, but for --recent, which records its findings and freezes; safe at any time, also twice at once."""

    help = (
        "Recomputes balances, holds, grants, uncovered parts and payments from the ledger's entries and allocations, "
        "and names customer, entry and check of whatever does not agree. --recent looks at what has moved since the "
        "last look, and freezes customers whose books do not close. Exit code 0: clean, 1: findings, 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customer", help="Only this customer: e-mail address, cust_… or cus_… id.")
        parser.add_argument(
            "--recent", action="store_true", help="Only who has moved since the last look; findings are kept."
        )
        parser.add_argument("--json", action="store_true", help="One JSON document instead of lines.")

    def handle(self, *, customer: str | None, recent: bool, json: bool, **options: Any) -> None:
        if recent and customer:
            raise CommandError("--recent chooses the customers itself.", returncode=EXIT_ERROR)
        findings = self._look_at_recent() if recent else self._look_at(customer)
        names = dict(
            BillingCustomer.objects.filter(pk__in={finding.customer_id for finding in findings}).values_list(
                "pk", "public_id"
            )
        )
        self._print_json(findings, names) if json else self._print_lines(findings, names)
        if findings:
            sys.exit(EXIT_FINDINGS)

    def _look_at(self, customer: str | None) -> list[Finding]:
        customer_ids = [find_customer(name=customer).pk] if customer else None
        return list(find_ledger_faults(customer_ids=customer_ids))

    def _look_at_recent(self) -> list[Finding]:
        _, findings = reconcile_ledger(trigger=RunTrigger.COMMAND, is_recent=True)
        return findings

    def _print_json(self, findings: list[Finding], names: dict[int, str]) -> None:
        rows = [
            {
                "check": finding.check,
                "customer": names.get(finding.customer_id or 0),
                "entry": finding.entry_id,
                "detail": finding.detail,
            }
            for finding in findings
        ]
        self.stdout.write(json.dumps({"clean": not rows, "findings": rows}, indent=2))

    def _print_lines(self, findings: list[Finding], names: dict[int, str]) -> None:
        for finding in findings:
            entry = f" entry {finding.entry_id}" if finding.entry_id else ""
            customer = names.get(finding.customer_id or 0, "-")
            self.stdout.write(f"{finding.check}: customer {customer}{entry}: {finding.detail}")
        self.stdout.write(f"{len(findings)} findings." if findings else "The ledger is clean.")
