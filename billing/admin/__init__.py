"""The pages of staff. Each module registers the models that it shows.

customers.py      a customer's page: panels, credit or debit, freeze    ledger.py    entries, grants, holds (read-only)
payments.py       payments, with what staff do to them; bonuses        events.py    Stripe's inbox and replay
refunds.py        refunds, disputes, fraud warnings, money movements     refund_requests.py  refunds of staff, approvals
packs.py          what is for sale                                      dashboard.py the figures on the first page
plans.py          what is subscribed to; subscriptions (read-only)      invoices.py  with lines and credit notes
prices.py         of models and operations: versions, margins           price_page.py a new version, with its preview
approvals.py      what staff asked for, and who decides                 adjustments.py  its pages of a customer
books.py          trial balance, months, journal (beside movements)
audit.py          what staff did (read-only)                            flags.py, notes.py  of customers (read-only)
vouchers.py       batches, codes, uses                                  voucher_page.py makes them, shows codes once
mails.py          the outbox of mails, notices
top_ups.py        automatic top-ups and consents (read-only)
findings.py       what does not agree, repairs, acceptances             reconciliation.py  runs, and a new one
"""

from billing.admin import (
    alarms,
    approvals,
    audit,
    customers,
    events,
    findings,
    flags,
    invoices,
    ledger,
    mails,
    notes,
    packs,
    payments,
    plans,
    prices,
    reconciliation,
    refund_requests,
    refunds,
    top_ups,
    vouchers,
    webhooks,
)

__all__ = [
    "alarms",
    "approvals",
    "audit",
    "customers",
    "events",
    "findings",
    "flags",
    "invoices",
    "ledger",
    "mails",
    "notes",
    "packs",
    "payments",
    "plans",
    "prices",
    "reconciliation",
    "refund_requests",
    "refunds",
    "top_ups",
    "vouchers",
    "webhooks",
]
