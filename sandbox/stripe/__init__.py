"""A stand-in for Stripe, for development and tests: Stripe's wire protocol, its checkout page and its webhooks."""
