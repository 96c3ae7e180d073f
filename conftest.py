"""Fixtures for every test of the project."""

pytest_plugins = ["sandbox.stripe.testing"]
