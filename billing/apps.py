"""Billing's start."""

from importlib import import_module

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """What customers may spend."""

    name = "billing"

    def ready(self) -> None:
        """Register the system checks and listen to allauth, once all models are there."""
        import_module("billing.checks")
        import_module("billing.receivers")
