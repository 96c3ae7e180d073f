"""The start of usage."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """What customers spent their credits on."""

    name = "usage"
