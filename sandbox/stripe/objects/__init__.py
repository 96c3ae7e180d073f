"""The objects of the API, one noun per file: how each is made, read, changed and listed.

Refunds, disputes, subscriptions and the portal get files of their own here, and lines in ``sandbox.stripe.routes``.
"""
