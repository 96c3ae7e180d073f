"""`manage.py correct_usage`: put right what the calls of a period were charged, or take a correction back."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError
from django.utils import timezone

from billing.management.billing_command import EXIT_ERROR, EXIT_FINDINGS, BillingCommand, read_count, read_time
from billing.money import format_credits
from usage.models import UsageCorrection
from usage.selectors.corrections import (
    CorrectionSums,
    CorrectionTerms,
    CustomerChange,
    name_customers,
    preview_correction,
    sums_of_correction,
)
from usage.services.corrections import apply_correction, read_terms, reverse_correction


class Command(BillingCommand):
    """Shows what it would do unless --apply is given. Twice at once moves nothing twice; what broke off is finished."""

    help = (
        "Charges the calls of a model in a period as a version of its price says: one compensating entry for each call "
        "that was charged otherwise, counting from what earlier corrections made of it. --reverse takes a correction "
        "back. Without --apply it only shows whom it touches by how much. Exit code 0: nothing to correct, or all "
        "corrected, 1: calls are charged otherwise (shown only), 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--model", help="The model whose calls are corrected.")
        parser.add_argument("--since", type=read_time, help="Calls from this time on: 2026-11-20 or ISO.")
        parser.add_argument("--until", type=read_time, help="Calls before this time.")
        parser.add_argument(
            "--price",
            type=read_count,
            metavar="ID",
            help="The version of a price to charge by. Default: the one that holds for the model now.",
        )
        parser.add_argument("--reverse", metavar="CORRECTION", help="Take back this correction (corr_…) instead.")
        parser.add_argument("--reason", default="", help="Why; kept with the correction. Needed with --apply.")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--apply", action="store_true", help="Do it.")
        how.add_argument("--dry-run", action="store_true", help="Show it only, which is the default.")
        parser.add_argument("--json", action="store_true", help="One JSON document.")

    def handle(self, *, model: str | None, reverse: str | None, **options: Any) -> None:
        self.as_json, self.count = bool(options["json"]), 0
        named = [name for name in ("model", "since", "until") if (model if name == "model" else options[name])]
        if reverse:
            if named or options["price"]:
                raise CommandError("--reverse names the correction; leave the period out.", returncode=EXIT_ERROR)
            self.reverse(reverse, reason=options["reason"], is_applied=options["apply"])
        elif model and len(named) == 3:
            terms = read_terms(
                model=model,
                since=options["since"],
                until=options["until"],
                price_id=options["price"],
                now=timezone.now(),
            )
            self.correct(terms, reason=options["reason"], is_applied=options["apply"])
        else:
            raise CommandError("Give --model, --since and --until, or --reverse.", returncode=EXIT_ERROR)

    def correct(self, terms: CorrectionTerms, *, reason: str, is_applied: bool) -> None:
        if is_applied:
            correction = apply_correction(terms=terms, reason=reason, actor=None)
            sums = sums_of_correction(correction=correction) if correction else CorrectionSums()
            self.tell_done(correction, sums)
            return
        if self.as_json:
            self.stdout.write('{"customers": [', ending="")
        sums = CorrectionSums()
        for change in preview_correction(terms=terms):
            sums.add(change)
            if change.changed_calls:
                self.tell_customer(change)
        self.tell_preview(sums, price=str(terms.price))
        if sums.changed_calls:
            sys.exit(EXIT_FINDINGS)

    def reverse(self, name: str, *, reason: str, is_applied: bool) -> None:
        correction = UsageCorrection.objects.filter(public_id=name).first()
        if correction is None:
            raise CommandError(f"There is no correction {name}.", returncode=EXIT_ERROR)
        if is_applied:
            reversal = reverse_correction(correction=correction, reason=reason, actor=None)
            self.tell_done(reversal, sums_of_correction(correction=reversal))
            return
        is_done = UsageCorrection.objects.filter(reverses=correction, completed_at__isnull=False).exists()
        sums = CorrectionSums() if is_done else sums_of_correction(correction=correction)
        sums.difference = -sums.difference
        if self.as_json:
            self.stdout.write('{"customers": [', ending="")
        self.tell_preview(sums, price="")
        if sums.changed_calls:
            sys.exit(EXIT_FINDINGS)

    def tell_customer(self, change: CustomerChange) -> None:
        name = name_customers(customer_ids=[change.customer_id])[change.customer_id].public_id
        self.count += 1
        if self.as_json:
            row = {"customer": name, **_as_json(change)}
            self.stdout.write(("," if self.count > 1 else "") + "\n" + json.dumps(row), ending="")
            return
        self.stdout.write(
            f"{name}: {change.changed_calls} of {change.calls} calls, charged {format_credits(change.charged)}, "
            f"right {format_credits(change.right)}, difference {format_credits(change.difference, signed=True)}"
        )

    def tell_preview(self, sums: CorrectionSums, *, price: str) -> None:
        if self.as_json:
            rest = {"is_applied": False, "price": price, "touched_customers": sums.customers, **_as_json(sums)}
            self.stdout.write("\n], " + json.dumps(rest)[1:])
        elif not sums.changed_calls:
            self.stdout.write("There is nothing to correct.")
        else:
            self.stdout.write(
                f"{sums.changed_calls} calls of {sums.customers} customers would be corrected"
                f"{f' to {price}' if price else ''}: {format_credits(sums.difference, signed=True)} credits in all. "
                "Nothing was changed: add --apply and --reason."
            )

    def tell_done(self, correction: UsageCorrection | None, sums: CorrectionSums) -> None:
        name = correction.public_id if correction else None
        if self.as_json:
            moved = {
                "correction": name,
                "is_applied": True,
                "changed_calls": sums.changed_calls,
                "touched_customers": sums.customers,
                "difference": str(sums.difference),
            }
            self.stdout.write(json.dumps(moved))
        elif correction is None:
            self.stdout.write("There is nothing to correct.")
        else:
            self.stdout.write(
                f"{name}: {sums.changed_calls} calls of {sums.customers} customers, "
                f"{format_credits(sums.difference, signed=True)} credits."
            )


def _as_json(change: CustomerChange | CorrectionSums) -> dict[str, Any]:
    return {
        "calls": change.calls,
        "changed_calls": change.changed_calls,
        "charged": str(change.charged),
        "right": str(change.right),
        "difference": str(change.difference),
    }
