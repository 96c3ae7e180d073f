"""The start of accounts."""

from importlib import import_module

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who is calling."""

    name = "accounts"

    def ready(self) -> None:
        """Listen to logins, once all models are there."""
        import_module("accounts.receivers")
