"""`manage.py seed_demo`: people, packs and a history to look at."""

from __future__ import annotations

import json as json_format
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from billing import conf
from sandbox.demo.accounts import DEMO_ACCOUNTS
from sandbox.demo.seeding import Seeded, seed_everything


class Command(BaseCommand):
    """Safe to run again and twice at once: every entry has a key, every row a name."""

    help = (
        "Makes the demo: an owner, a debtor and staff of each group who can log in, three credit packs, their products "
        "and prices at Stripe (a stand-in or your test keys), and some history for the owner: a bonus, a promotion, a "
        "purchase, API keys, twelve days of metered calls by them and a hold. At the stand-in also customers with "
        "refunds and disputes, what staff have done and left to do, and a reconciliation with findings. Refused in "
        "production and with live keys. Exit code 0: the demo is there, 2: refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON document instead of lines.")

    def handle(self, *, json: bool, **options: Any) -> None:
        if settings.IS_PRODUCTION or conf.is_live():
            raise CommandError("The demo has well-known passwords: it is for development and tests only.", returncode=2)
        seeded = seed_everything()
        if json:
            self.stdout.write(json_format.dumps(asdict(seeded), indent=2))
        else:
            self.tell(seeded)

    def tell(self, seeded: Seeded) -> None:
        """A few lines."""
        names = ", ".join(account.email for account in DEMO_ACCOUNTS)
        self.stdout.write(f"Demo: {names}; packs {', '.join(seeded.packs)}; {seeded.entries} entries of the owner.")
        self.stdout.write(f"Priced: {', '.join(seeded.prices)}.")
        if seeded.stories:
            self.stdout.write(f"{seeded.stories} customers more, with refunds, disputes and findings for staff.")
        for note in seeded.notes:
            self.stdout.write(self.style.WARNING(note))
