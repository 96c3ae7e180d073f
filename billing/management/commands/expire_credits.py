"""`manage.py expire_credits`: expire what has lapsed, for customers who write nothing."""

from billing.management.billing_command import LapseCommand
from billing.services.expiry import expire_lapsed_credits


class Command(LapseCommand):
    """Safe at any time and twice at once: each customer is done under the lock on its balance."""

    help = (
        "Expires credits whose time is over. The sweeper does the same every few seconds, and nobody can spend lapsed "
        "credits before. Credits that open holds keep stay until those end. Exit code 0: done, 1: some customers' "
        "books do not add up (run reconcile_ledger), 2: error."
    )
    things, done, would_be_done = "customers", "expired", "would be looked at"
    lapse = staticmethod(expire_lapsed_credits)
