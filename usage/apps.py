"""The start of usage."""

from importlib import import_module

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """What customers spent their credits on."""

    name = "usage"

    def ready(self) -> None:
        """Register the system checks and let billing's exports have usage, once all models are there."""
        import_module("usage.checks")
        add_sheet = import_module("billing.selectors.export_sheets").add_sheet
        add_sheet(import_module("usage.selectors.export").USAGE)
