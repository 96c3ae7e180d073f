"""Automatic top-up: consent, decision, charge, and what stops it. One use case per file."""
