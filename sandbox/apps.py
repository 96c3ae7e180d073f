from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """Commands `dev` and `seed_demo`; installed by the local and test settings only."""

    name = "sandbox"
