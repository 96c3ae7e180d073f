"""Reconciliation: compares our books with Stripe and with themselves, and repairs through convergence, never by edits.

`stripe_run` compares with Stripe, `ledger_run` the ledger with itself; `kinds` names every finding there is.
"""
