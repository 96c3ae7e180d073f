"""Our fields, strict bodies and ways in, as drf-spectacular shall write them down. Importing this registers them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction
from rest_framework.permissions import SAFE_METHODS

from billing.money import CREDIT_PLACES, MAX_CREDITS

Schema = dict[str, Any]
CREDITS_PATTERN = rf"^-?[0-9]+\.[0-9]{{{CREDIT_PLACES}}}$"


class CreditsInput(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Credits in a request: a decimal string or a whole number."""

    target_class = "billing.api.parsing.CreditsField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        sign = "-?" if self.target.is_signed else ""
        most = int(MAX_CREDITS)
        pattern = rf"^{sign}[0-9]{{1,{len(str(most)) - 1}}}(\.[0-9]{{1,{CREDIT_PLACES}}})?$"
        return {
            "anyOf": [
                {"type": "string", "pattern": pattern, "examples": ["12.5"]},
                {"type": "integer", "minimum": -most if sign else 0, "maximum": most},
            ],
            "description": f"Credits, as a decimal string of at most {CREDIT_PLACES} places or as a whole number.",
        }


class CreditsOutput(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Credits in an answer: always a string with all places."""

    target_class = "billing.api.schema.shapes.CreditsText"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        return {"type": "string", "pattern": CREDITS_PATTERN, "examples": ["12.500000"]}


class ClosedObject(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """What knows its fields has no others."""

    target_class = "billing.api.parsing.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        mapper: Any = auto_schema
        schema: Schema = mapper._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False}


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The way in of programs."""

    target_class = "billing.api.authentication.KeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": f"{settings.API_KEY_PREFIX}_<id>_<secret>",
            "description": "An API key from `/accounts/api-keys/`. It works in this header only, never in an address.",
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The way in of a browser that is logged in."""

    target_class = "billing.api.authentication.SessionAuthentication"
    name = ["session", "csrfToken"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[Any]]:
        reads = auto_schema.method in SAFE_METHODS
        return {"session": []} if reads else {"session": [], "csrfToken": []}

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Schema]:
        return [
            {
                "type": "apiKey",
                "in": "cookie",
                "name": settings.SESSION_COOKIE_NAME,
                "description": "The session of a browser that is logged in.",
            },
            {
                "type": "apiKey",
                "in": "header",
                "name": "X-CSRFToken",
                "description": f"The value of the cookie `{settings.CSRF_COOKIE_NAME}`, beside the session.",
            },
        ]
