"""The start of usage."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """What customers spent their credits on."""

    name = "usage"

    def ready(self) -> None:
        from usage import checks  # noqa: F401  # registers them
