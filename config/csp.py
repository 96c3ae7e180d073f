"""Which sources a page may use: strict everywhere, wider in the admin, and for Stripe on the checkout page alone."""

from typing import Any, Final
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE, Nonce
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

Policy = dict[str, list[str | Nonce]]

PAGES: Final[Policy] = {
    "default-src": [NONE],
    "base-uri": [NONE],
    "object-src": [NONE],
    "frame-ancestors": [NONE],
    "form-action": [SELF],
    "script-src": [SELF, NONCE],
    "style-src": [SELF, NONCE],
    "img-src": [SELF, "data:"],  # the style sheet's icons and the QR code of two-factor set-up are data: images
    "font-src": [SELF],
    "connect-src": [SELF],
    "manifest-src": [SELF],
}
# Unfold's Alpine evaluates expressions out of attributes, and its theme is a <style> element without a nonce.
ADMIN: Final[Policy] = {**PAGES, "script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}
ADMIN_PREFIX: Final = "/admin/"

STRIPE_SCRIPTS: Final[list[str | Nonce]] = [
    "https://js.stripe.com",
    "https://*.js.stripe.com",
    "https://checkout.stripe.com",
]


def pages_policy(*, google_login: bool) -> Policy:
    """The policy of every page; a browser holds the redirect to Google's login against `form-action` too."""
    return {**PAGES, "form-action": [SELF, "https://accounts.google.com"]} if google_login else PAGES


def checkout_additions(*, js_url: str, api_base: str) -> Policy:
    """What the checkout page may use beyond the pages' policy: Stripe's hosts, or the stand-in's alone.

    The hosts are those of Stripe's security guide for Stripe.js and Checkout.
    """
    origins = {origin_of(js_url), origin_of(api_base)} - {"https://js.stripe.com", "https://api.stripe.com"}
    stand_in: list[str | Nonce] = [*sorted(origins)]
    if stand_in:
        return dict.fromkeys(("script-src", "frame-src", "connect-src", "img-src", "form-action"), stand_in)
    return {
        "script-src": STRIPE_SCRIPTS,
        "frame-src": [*STRIPE_SCRIPTS, "https://hooks.stripe.com"],
        "connect-src": ["https://api.stripe.com", "https://checkout.stripe.com"],
        "img-src": ["https://*.stripe.com"],
        "form-action": ["https://checkout.stripe.com", "https://billing.stripe.com"],  # its own pages, and its portal
    }


def origin_of(url: str) -> str:
    """Scheme, host and port of an address; empty where it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a malformed one is named by a system check
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""


class PolicyMiddleware(CSPMiddleware):
    """Sends the admin's policy under /admin/ and the pages' policy elsewhere; a view's decorator may add to it."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and parts.config is None and request.path_info.startswith(ADMIN_PREFIX):
            admin: dict[str, Any] = dict(ADMIN)
            parts.config = admin
        return parts
