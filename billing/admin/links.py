"""Links from an id of Stripe's to where Stripe shows it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import conf
from billing.admin.base import NOTHING

_PAGES: Final = {
    "cus_": "customers",
    "pi_": "payments",
    "ch_": "payments",
    "py_": "payments",
    "re_": "refunds",
    "pyr_": "refunds",
    "in_": "invoices",
    "cn_": "credit_notes",
    "prod_": "products",
    "price_": "prices",
    "evt_": "events",
    "sub_": "subscriptions",
    "dp_": "disputes",
    "du_": "disputes",
}
_SHOWN_LENGTH: Final = 32


def stripe_address(stripe_id: str) -> str:
    """Where staff look at an object of Stripe's: the dashboard in the mode of our keys, or the stand-in's page."""
    base = conf.stripe_api_base()
    if base != "https://api.stripe.com":
        return f"{base}/sandbox/objects/{quote(stripe_id)}/"
    mode = "" if conf.is_live() else "/test"
    for prefix, page in _PAGES.items():
        if stripe_id.startswith(prefix):
            return f"https://dashboard.stripe.com{mode}/{page}/{quote(stripe_id)}"
    return f"https://dashboard.stripe.com{mode}/search?query={quote(stripe_id)}"


def link_to_stripe(stripe_id: str | None) -> SafeString | str:
    """A link that opens beside the admin; long ids, those of checkout sessions, are shown by their beginning."""
    if not stripe_id:
        return NOTHING
    shown = stripe_id if len(stripe_id) <= _SHOWN_LENGTH else f"{stripe_id[:_SHOWN_LENGTH]}…"
    return format_html(
        '<a class="break-words font-medium text-primary-600 dark:text-primary-500" href="{}" title="{}" '
        'target="_blank" rel="noopener noreferrer">{}</a>',
        stripe_address(stripe_id),
        stripe_id,
        shown,
    )
