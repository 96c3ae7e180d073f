"""The token that keeps other sites from posting our forms."""

import secrets

from django.http import HttpRequest

from sandbox.stripe.handler import sandbox_of


class ForeignForm(Exception):
    """A form was posted without the token of this sandbox: from another site, or from a page of an earlier start."""


def require_token(request: HttpRequest) -> None:
    """Refuse a form that does not come from a page of this sandbox.

    Raises:
        ForeignForm: the token is missing or wrong.
    """
    if not secrets.compare_digest(request.POST.get("token", "").encode(), sandbox_of(request).form_token.encode()):
        raise ForeignForm
