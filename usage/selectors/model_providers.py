"""Which provider a model is called at."""

from datetime import datetime

from billing.models import PricingConfig


def provider_of_model(*, model: object, at: datetime) -> str:
    """The provider that the model's price names; empty for the usual one, where the model has no price of its own."""
    if not isinstance(model, str) or not model.isprintable():
        return ""
    versions = PricingConfig.objects.filter(model=model, effective_from__lte=at)
    version = versions.order_by("-effective_from").only("provider").first()
    return version.provider if version is not None else ""
