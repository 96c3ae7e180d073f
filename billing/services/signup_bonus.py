"""The sign-up bonus: once per mailbox and customer, at most three per network and day."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import connection, transaction
from django.utils import timezone

from accounts.addresses import normalise_address
from accounts.models import User
from accounts.network import keyed_hash, known_hashes, network_of
from billing import conf
from billing.kinds import EntryKind
from billing.ledger.locking import lock_accounts
from billing.ledger.posting import post_entries
from billing.ledger.shapes import Posting
from billing.models import LedgerEntry, SignupBonus
from billing.services.customers import ensure_customer

BONUSES_PER_NETWORK_AND_DAY = 3
log = structlog.get_logger(__name__)


def grant_signup_bonus(
    *, user: User, verified_email: str, client_address: str, verified_at: datetime | None = None
) -> LedgerEntry | None:
    """The bonus entry for a user whose first address was verified (by default just now), or None where none is due.

    Refused, with a log line, when the mailbox or the customer has had it or the caller's network has had three today
    (UTC). Only keyed hashes of mailbox and network are kept, and they stay when the account is erased.
    """
    amount = conf.signup_bonus_credits()
    if amount <= 0:
        return None
    mailbox, network = normalise_address(verified_email), network_of(client_address)
    customer = ensure_customer(user=user)
    with transaction.atomic():
        # Two sign-ups of one mailbox or network have nothing else in common to lock; always before any balance.
        _lock_names(keyed_hash(mailbox), keyed_hash(network))
        lock_accounts(customer_ids=[customer.pk])
        refusal = _find_refusal(customer_id=customer.pk, mailbox=mailbox, network=network)
        if refusal:
            log.info("signup_bonus_refused", customer_id=customer.pk, reason=refusal)
            return None
        SignupBonus.objects.create(
            customer=customer,
            address_hash=keyed_hash(mailbox),
            network_hash=keyed_hash(network),
            granted_on=timezone.now().date(),
        )
        posting = Posting(
            customer_id=customer.pk,
            kind=EntryKind.SIGNUP_BONUS,
            amount=amount,
            key="bonus:signup",
            description="Welcome bonus",
            occurred_at=verified_at,
        )
        return post_entries(postings=[posting])[0].entry


def _find_refusal(*, customer_id: int, mailbox: str, network: str) -> str:
    """Why no bonus is due, or an empty string. Exact only under the locks of both names and the customer."""
    bonuses = SignupBonus.objects.all()
    if bonuses.filter(customer_id=customer_id).exists():
        return "customer has had it"
    if bonuses.filter(address_hash__in=known_hashes(mailbox)).exists():
        return "mailbox has had it"
    today = bonuses.filter(network_hash__in=known_hashes(network), granted_on=timezone.now().date())
    if today.count() >= BONUSES_PER_NETWORK_AND_DAY:
        return "network has had its share today"
    return ""


def _lock_names(*hashes: str) -> None:
    """Make everyone who means the same names wait until this database transaction ends."""
    numbers = {int.from_bytes(bytes.fromhex(name)[:8], signed=True) for name in hashes}
    with connection.cursor() as cursor:
        for number in sorted(numbers):  # one order for all, so that two never wait for each other
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
