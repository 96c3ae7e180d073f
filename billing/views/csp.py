"""The wider Content-Security-Policy of pages that lead to Stripe."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Concatenate, ParamSpec

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

Arguments = ParamSpec("Arguments")
View = Callable[Concatenate[HttpRequest, Arguments], HttpResponseBase]


def checkout_csp(view: View[Arguments]) -> View[Arguments]:
    """Let this page alone load Stripe.js, show Stripe's frames and redirect to Stripe (the setting CHECKOUT_CSP)."""
    return _widen(view, lambda: settings.CHECKOUT_CSP)


def portal_csp(view: View[Arguments]) -> View[Arguments]:
    """Let this page's forms redirect to Stripe, and load nothing from there: the way into its portal is a form."""
    return _widen(view, lambda: ["form-action"])


def _widen(view: View[Arguments], directives: Callable[[], Iterable[str]]) -> View[Arguments]:
    @wraps(view)
    def widened(request: HttpRequest, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponseBase:
        def answer(request: HttpRequest) -> HttpResponseBase:
            return view(request, *args, **kwargs)

        return csp_update({name: settings.CHECKOUT_CSP[name] for name in directives()})(answer)(request)

    return widened
