"""What every endpoint is built on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from rest_framework.exceptions import AuthenticationFailed, NotFound, UnsupportedMediaType
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError
from rest_framework.views import APIView

from accounts.models import User
from billing.api.callers import caller_customer, caller_user
from billing.api.parsing import StrictSerializer, is_json
from billing.api.permissions import KeyMay, StaffOnly
from billing.api.rates import count_request, count_wrong_key, quota_headers
from billing.models import BillingCustomer


class ApiView(APIView):
    """JSON in, JSON out; authentication, parsers and problem documents come from the settings (`REST_FRAMEWORK`)."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who is calling and whether they may; then, before anything reads it, whether the body can be read."""
        super().initial(request, *args, **kwargs)
        if any("\0" in str(part) for part in kwargs.values()):
            raise NotFound("PostgreSQL has no text with a NUL in it, so nothing is called so.")
        has_body = request.META.get("CONTENT_LENGTH") not in (None, "", "0")
        if has_body and not is_json(request.content_type):
            raise UnsupportedMediaType(request.content_type or "", detail="Send a body of application/json.")

    def perform_authentication(self, request: Request) -> None:
        """Find out who is calling, and count the request, before anything else is asked of the database."""
        try:
            super().perform_authentication(request)
        except AuthenticationFailed:
            count_wrong_key(request)
            raise
        count_request(request)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """The answer, which also says how many requests are left."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        for name, value in quota_headers(request).items():
            answer[name] = value
        return answer

    def caller(self) -> User:
        """The user behind the request; the permissions of the view have let nobody else come this far."""
        return caller_user(self.request)


class CallerView(ApiView):
    """An endpoint for users and their API keys. `scopes` says which scope a key needs for each method."""

    permission_classes = [KeyMay]
    scopes: ClassVar[dict[str, str]]
    customer: BillingCustomer | None = None  # whose lack of credits a refusal explains

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As everywhere; and what changes something takes no parameters in its address."""
        super().initial(request, *args, **kwargs)
        if request.query_params and request.method not in SAFE_METHODS:
            read_query(request, StrictSerializer)

    def acting_for(self) -> BillingCustomer:
        """The customer that the request is about: see `caller_customer`."""
        self.customer = caller_customer(self.request)
        return self.customer


class StaffView(ApiView):
    """An endpoint for staff who have the right that it names."""

    permission_classes = [StaffOnly]
    permission: ClassVar[str]


class NoSuchAddress(ApiView):
    """404 as a problem document, for every address of the API that there is not."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is no such address. docs/api.md lists them all.")


def read_body(request: Request, shape: type[StrictSerializer]) -> dict[str, Any]:
    """The fields of the body, checked; faults are told by the names of their fields."""
    fields = shape(data=request.data)
    fields.is_valid(raise_exception=True)
    return dict(fields.validated_data)


def read_query(request: Request, shape: type[StrictSerializer], *, but: Collection[str] = ()) -> dict[str, Any]:
    """The parameters of the address, checked the same way; none may come twice. `but` are read by somebody else."""
    faults = {name: ["Send it once."] for name, values in request.query_params.lists() if len(values) > 1}
    for name, value in request.query_params.items():
        if not str(value).strip():  # it would filter nothing, and look as if it did
            faults.setdefault(name, ["Send a value, or leave it out."])
    if faults:
        raise ValidationError(faults)
    fields = shape(data={name: value for name, value in request.query_params.items() if name not in but})
    fields.is_valid(raise_exception=True)
    return dict(fields.validated_data)
