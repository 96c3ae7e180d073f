"""`manage.py reconcile_ledger`: recompute the ledger and name what does not agree."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from billing.management.billing_command import EXIT_FINDINGS, BillingCommand
from billing.models import BillingCustomer
from billing.selectors.customers import find_customer
from billing.services.verification import Finding, find_ledger_faults


class Command(BillingCommand):
    """Reads only; safe to run at any time, also twice at once."""

    help = (
        "Recomputes balances, holds, grants, uncovered parts and payments from the ledger's entries and allocations, "
        "and names customer, entry and check of whatever does not agree. Exit code 0: clean, 1: findings, 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customer", help="Only this customer: e-mail address, cust_… or cus_… id.")
        parser.add_argument("--json", action="store_true", help="One JSON document instead of lines.")

    def handle(self, *, customer: str | None, json: bool, **options: Any) -> None:
        customer_ids = [find_customer(name=customer).pk] if customer else None
        findings = list(find_ledger_faults(customer_ids=customer_ids))
        names = dict(
            BillingCustomer.objects.filter(pk__in={finding.customer_id for finding in findings}).values_list(
                "pk", "public_id"
            )
        )
        self._print_json(findings, names) if json else self._print_lines(findings, names)
        if findings:
            sys.exit(EXIT_FINDINGS)

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
