"""`manage.py reseal_secrets`: seal secrets of webhooks with the present SECRET_KEY."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from billing.management.billing_command import EXIT_ERROR, BillingCommand
from billing.services.sealing import CannotUnseal
from billing.services.webhook_endpoints import seal_secrets_again


class Command(BillingCommand):
    """A step of rotating SECRET_KEY (docs/operations.md). Safe to run again and twice at once."""

    help = (
        "Seals with SECRET_KEY what one of SECRET_KEY_FALLBACKS has sealed, the secrets of webhook endpoints, so that "
        "the fallback can be taken out. Exit code 0: all are sealed with SECRET_KEY; 2: error, such as a secret that "
        "was sealed with a key that is not known any more: its owner has to rotate it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON document instead of a line.")

    def handle(self, *, json: bool, **options: Any) -> None:
        try:
            count = seal_secrets_again()
        except CannotUnseal as error:
            raise CommandError(str(error), returncode=EXIT_ERROR) from error
        self.tell(count=count, as_json=json)

    def tell(self, *, count: int, as_json: bool) -> None:
        """Print how many endpoints have new seals."""
        self.stdout.write(json.dumps({"endpoints": count}) if as_json else f"{count} endpoints were sealed again.")
