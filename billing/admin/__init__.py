"""The pages of staff. Each module registers the models that it shows.

customers.py      a customer's page: panels, credit or debit, freeze    ledger.py    entries, grants, holds (read-only)
payments.py       payments and bonuses (read-only)                      events.py    Stripe's inbox and replay
packs.py          what is for sale                                      dashboard.py the figures on the first page
"""

from billing.admin import customers, events, ledger, packs, payments

__all__ = ["customers", "events", "ledger", "packs", "payments"]
