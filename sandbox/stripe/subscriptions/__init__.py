"""Subscriptions: how they start, renew, change, fail to be paid, pause and end, and the invoices that come of it."""
