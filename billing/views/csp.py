"""The checkout page's wider Content-Security-Policy."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

Arguments = ParamSpec("Arguments")
View = Callable[Concatenate[HttpRequest, Arguments], HttpResponseBase]


def checkout_csp(view: View[Arguments]) -> View[Arguments]:
    """Let this page alone load Stripe.js, show Stripe's frames and redirect to Stripe (the setting CHECKOUT_CSP)."""

    @wraps(view)
    def widened(request: HttpRequest, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponseBase:
        def answer(request: HttpRequest) -> HttpResponseBase:
            return view(request, *args, **kwargs)

        return csp_update(settings.CHECKOUT_CSP)(answer)(request)

    return widened
