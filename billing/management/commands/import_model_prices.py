"""`manage.py import_model_prices`: list prices of language models, as versions of ours."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

from billing.management.billing_command import EXIT_FINDINGS, BillingCommand
from billing.services.list_prices import SOURCE
from billing.services.price_import import PriceStep, import_prices

_WORDS = {"new": "new", "changed": "changed", "left": "left as it is", "refused": "not taken", "unchanged": "unchanged"}


def read_percent(text: str) -> Decimal:
    """A percentage from 0 to 10000 with at most three places."""
    try:
        percent = Decimal(text)
    except InvalidOperation as error:
        raise ArgumentTypeError(f"{text!r} is no percentage: write 25 or 37.5") from error
    if not percent.is_finite() or not 0 <= percent <= 10_000 or percent != percent.quantize(Decimal("0.001")):
        raise ArgumentTypeError(f"{text!r} is no percentage from 0 to 10000 with at most three places")
    return percent


class Command(BillingCommand):
    """Safe to run again and twice at once: what agrees is left alone, and the lock of a name keeps out twins."""

    help = (
        f"Sets our cost of language models to the list prices in the installed package {SOURCE}, without a network. "
        "A price that differs becomes a new version from now on; nothing that was charged changes. Markup and output "
        "reserve of a model that has a price are kept; a model that staff have withdrawn, or priced by another "
        "provider, is left as it is. Not taken, and told: models that are not charged by tokens, prices that depend on "
        "the hour and, without --highest-tier, those that depend on the length of the prompt. Exit code 0: our prices "
        "agree with the list, 1: some could not be taken, or a dry run found differences, 2: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--provider",
            action="append",
            required=True,
            dest="providers",
            metavar="NAME",
            help="Whose models, such as openai; may be repeated. Of a name that several have, the first one counts.",
        )
        parser.add_argument(
            "--model",
            action="append",
            dest="patterns",
            metavar="PATTERN",
            help="Only models of this name; a star stands for any letters ('gpt-5*'). May be repeated. Default: all.",
        )
        parser.add_argument(
            "--markup",
            type=read_percent,
            default=Decimal(0),
            metavar="PERCENT",
            help="Markup on models that have no price yet. Default: 0, at cost.",
        )
        parser.add_argument(
            "--highest-tier",
            action="store_true",
            help="Also take models whose long prompts cost more, at the price of the longest for all prompts.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Only tell what would change, old and new.")
        parser.add_argument("--json", action="store_true", help="One JSON document instead of lines.")

    def handle(
        self,
        *,
        providers: list[str],
        patterns: list[str] | None,
        markup: Decimal,
        highest_tier: bool,
        dry_run: bool,
        json: bool,
        **options: Any,
    ) -> None:
        steps = []
        for step in import_prices(
            providers=providers,
            patterns=patterns or ["*"],
            markup_percent=markup,
            highest_tier=highest_tier,
            dry_run=dry_run,
        ):
            steps.append(step)
            if not json and (step.outcome != "unchanged" or options["verbosity"] > 1):
                self.tell(step, dry_run=dry_run)
        counts = Counter[str](step.outcome for step in steps)
        if json:
            self.tell_json(steps, counts=counts, dry_run=dry_run)
        else:
            told = ", ".join(f"{counts[outcome]} {words}" for outcome, words in _WORDS.items() if counts[outcome])
            self.stdout.write(f"{'Dry run: ' if dry_run else ''}{told}.")
        if counts["refused"] or (dry_run and counts["new"] + counts["changed"]):
            sys.exit(EXIT_FINDINGS)

    def tell(self, step: PriceStep, *, dry_run: bool) -> None:
        """What becomes of a model, and beneath it each column, old and new."""
        would = "would be " if dry_run and step.changes else ""
        reason = f": {step.reason}" if step.reason else ""
        self.stdout.write(f"{step.model} ({step.provider}): {would}{_WORDS[step.outcome]}{reason}")
        for column, (old, new) in step.changes.items():
            self.stdout.write(f"    {column:<26}{_show(old):>14} -> {_show(new)}")
        if step.changes and step.left_out:
            self.stdout.write(f"    the list also has {', '.join(step.left_out)}; there is no column for that")

    def tell_json(self, steps: list[PriceStep], *, counts: Counter[str], dry_run: bool) -> None:
        """All steps as one document; amounts are text, as nobody should read them as floats."""
        models = [
            {
                **asdict(step),
                "changes": {
                    column: {"old": None if old is None else _show(old), "new": _show(new)}
                    for column, (old, new) in step.changes.items()
                },
            }
            for step in steps
        ]
        document = {"dry_run": dry_run, "source": SOURCE, "counts": dict(counts), "models": models}
        self.stdout.write(json.dumps(document, indent=2))


def _show(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount.normalize():f}"
