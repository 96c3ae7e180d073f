"""The credits of a trial: once per customer and once per card, for ever."""

import structlog
from django.db import connection

from billing.kinds import EntryKind
from billing.ledger.posting import post_entries
from billing.ledger.shapes import Posting
from billing.models import BillingCustomer, Plan, Subscription, TrialGrant

log = structlog.get_logger(__name__)


def grant_trial_credits(
    *, customer: BillingCustomer, subscription: Subscription, plan: Plan, card_fingerprint: str
) -> TrialGrant | None:
    """Give what a trial brings, to its end; None where the customer or the card has had it, or no card is known.

    Call under the lock on the customer's balance, inside the transaction that writes the subscription.
    """
    if not card_fingerprint:
        return None
    with connection.cursor() as cursor:  # two customers of one card have nothing else in common to lock
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"trial_card:{card_fingerprint}"])
    had = TrialGrant.objects.filter(customer=customer) | TrialGrant.objects.filter(card_fingerprint=card_fingerprint)
    if had.exists():
        if not had.filter(subscription_id=subscription.subscription_id).exists():
            log.info("trial_credits_refused", customer=customer.public_id)
        return None
    posting = Posting(
        customer_id=customer.pk,
        kind=EntryKind.PROMOTION,
        amount=plan.trial_credits,
        key="trial:credits",
        description=f"{plan.name}: trial",
        expires_at=subscription.trial_end,
    )
    entry = post_entries(postings=[posting])[0].entry
    return TrialGrant.objects.create(
        customer=customer,
        card_fingerprint=card_fingerprint,
        subscription_id=subscription.subscription_id,
        entry=entry,
    )
