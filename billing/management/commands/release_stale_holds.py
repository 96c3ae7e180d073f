"""`manage.py release_stale_holds`: end the holds whose time is over."""

from billing.management.billing_command import LapseCommand
from billing.services.holds import expire_stale_holds


class Command(LapseCommand):
    """Safe at any time and twice at once: each hold ends under the lock on its customer's balance, and only once."""

    help = (
        "Ends holds whose time is over, so that their credits can be spent again. The sweeper does the same every few "
        "seconds. The work behind such a hold may still be settled for 24 hours. Exit code 0: done, 1: some "
        "customers' books do not add up (run reconcile_ledger), 2: error."
    )
    things, done, would_be_done = "holds", "ended", "would end"
    lapse = staticmethod(expire_stale_holds)
