"""`GET /v1/models`: what can be called, which is what has a price and is included in the plan."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing.errors import ModelNotInPlan, ScopeMissing, UnknownModel
from billing.models import PricingConfig
from billing.selectors.plan_limits import limits_of
from billing.selectors.prices import offered_prices
from usage.openai.base import OpenAiView


class ModelsView(OpenAiView):
    """For keys that may read or spend."""

    scopes = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not (self.key().has_scope(Scope.READ) or self.key().has_scope(Scope.SPEND)):
            raise ScopeMissing(scope=Scope.READ)


class Models(ModelsView):
    """All that the customer's plan includes, by name."""

    def get(self, request: Request) -> Response:
        limits = limits_of(customer_id=self.acting_for().pk)
        versions = offered_prices(at=timezone.now())
        rows = [model_shape(version) for version in versions if limits.allows_model(version.model)]
        return Response({"object": "list", "data": rows})


class OneModel(ModelsView):
    """One of them."""

    def get(self, request: Request, model: str) -> Response:
        versions = {version.model: version for version in offered_prices(at=timezone.now())}
        if model not in versions:
            raise UnknownModel(model=model, known=list(versions)[:50])
        limits = limits_of(customer_id=self.acting_for().pk)
        if not limits.allows_model(model):
            raise ModelNotInPlan(model=model, plan=limits.name, models=list(limits.models_allowed))
        return Response(model_shape(versions[model]))


def model_shape(version: PricingConfig) -> dict[str, Any]:
    """A model as OpenAI's API lists it."""
    return {
        "id": version.model,
        "object": "model",
        "created": int(version.effective_from.timestamp()),
        "owned_by": version.provider,
    }
