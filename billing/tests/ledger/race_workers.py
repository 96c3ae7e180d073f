"""What the processes of the race tests do. Each has its own interpreter and its own connection."""

import os
from decimal import Decimal

import django


def join_database(name: str) -> None:
    """Set Django up in a fresh process and point it at the test's database."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    django.setup()
    from django.db import connections

    connections.databases["default"]["NAME"] = name


def spend_one_by_one(customer_id: int, worker: int, attempts: int) -> int:
    """Try to spend one credit `attempts` times; gives how often it worked."""
    from billing.errors import InsufficientCredits
    from billing.kinds import EntryKind
    from billing.services.posting import Posting, post

    spent = 0
    for number in range(attempts):
        posting = Posting(
            customer_id=customer_id, kind=EntryKind.USAGE, amount=Decimal(-1), key=f"api:{worker}-{number}"
        )
        try:
            post(posting=posting)
            spent += 1
        except InsufficientCredits:
            pass
    return spent


def post_batches(customer_ids: list[int], worker: int, rounds: int) -> int:
    """Post one credit out of each customer, in the order given, again and again; gives the number of batches."""
    from billing.kinds import EntryKind
    from billing.services.posting import Posting, post_many

    for number in range(rounds):
        post_many(
            postings=[
                Posting(customer_id=customer_id, kind=EntryKind.USAGE, amount=Decimal(-1), key=f"api:{worker}-{number}")
                for customer_id in customer_ids
            ]
        )
    return rounds


def settle_all(hold_ids: list[str], cost: str) -> int:
    """Settle holds one after the other; gives how many settlements were accepted."""
    from billing.errors import HoldEnded
    from billing.services.holds import settle_hold

    accepted = 0
    for hold_id in hold_ids:
        try:
            settle_hold(hold=hold_id, amount=Decimal(cost))
            accepted += 1
        except HoldEnded:
            pass
    return accepted


def expire_all(hold_ids: list[str]) -> int:
    """Expire holds one after the other, as the sweeper does."""
    from django.db import transaction

    from billing.ledger import holding

    for hold_id in hold_ids:
        with transaction.atomic():
            holding.expire(public_id=hold_id)
    return len(hold_ids)
