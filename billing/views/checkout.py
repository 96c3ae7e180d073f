"""Opens checkouts: JSON for the embedded page, a redirect to Stripe's own page where scripts cannot load."""

import re
from decimal import Decimal, InvalidOperation
from ipaddress import IPv6Address, ip_address, ip_network
from uuid import uuid4

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone

from accounts.network import client_address, keyed_hash
from billing import conf
from billing.errors import BillingError, InvalidAmount, InvalidRequest
from billing.gateway.client import UiMode
from billing.models import BillingCustomer
from billing.money import minor_units
from billing.selectors.overview import find_open_payment
from billing.services.checkout import CheckoutPages, StartedCheckout, start_checkout
from billing.services.gateway import configured_gateway
from billing.services.orders import CUSTOM_CURRENCY, Order, order_custom_amount, order_pack
from billing.services.plan_checkout import start_plan_checkout
from billing.views.refusals import answer_refusal

CUSTOM_SLUG = "custom"  # /billing/buy/custom/ takes an amount; no pack may be called so
_FORM_KEY = re.compile(r"[A-Za-z0-9_\-]{8,64}")
_UI_MODES: dict[str, UiMode] = {"": "embedded_page", "embedded": "embedded_page", "hosted": "hosted_page"}


def create_checkout(request: HttpRequest, customer: BillingCustomer, pack: str) -> HttpResponse:
    """The answer to a buy form: `form_key`, `ui_mode` (embedded or hosted), for a custom amount `amount` in dollars;
    `save_card` is 1 where the buyer of a pack wants the card kept.

    Embedded: JSON `{id, object, payment, client_secret, url}` for the script. Hosted: 303 to Stripe's page. A refusal
    is a page or a problem document, as the client prefers.
    """
    try:
        ui_mode = _read_ui_mode(request)
        started = start_checkout(
            customer=customer,
            order=_read_order(request, pack=pack),
            form_key=f"{_read_form_key(request)}:{ui_mode}",  # the fallback cannot open the embedded page's session
            ui_mode=ui_mode,
            network_hash=hash_address(request),
            pages=checkout_pages(),
            gateway=configured_gateway(),
            saves_card=pack != CUSTOM_SLUG and request.POST.get("save_card") == "1",
        )
    except BillingError as refusal:
        return answer_refusal(request, refusal)
    return _answer_started(started, ui_mode=ui_mode)


def create_plan_checkout(request: HttpRequest, customer: BillingCustomer, plan: str) -> HttpResponse:
    """The answer to the form that subscribes to a plan: `form_key` and `ui_mode`, as for a pack."""
    try:
        ui_mode = _read_ui_mode(request)
        started = start_plan_checkout(
            customer=customer,
            slug=plan,
            form_key=f"{_read_form_key(request)}:{ui_mode}",
            ui_mode=ui_mode,
            network_hash=hash_address(request),
            pages=checkout_pages(),
            gateway=configured_gateway(),
        )
    except BillingError as refusal:
        return answer_refusal(request, refusal)
    return _answer_started(started, ui_mode=ui_mode)


def _answer_started(started: StartedCheckout, *, ui_mode: UiMode) -> HttpResponse:
    if ui_mode == "hosted_page":
        return HttpResponseRedirect(started.url, status=303)
    return JsonResponse(render_checkout(started))


def new_form_key(request: HttpRequest, customer: BillingCustomer) -> str:
    """A new key for each page shown, so that a double click is one payment; an open payment's own to go on with it."""
    reference = request.GET.get("payment")
    unfinished = find_open_payment(customer=customer, public_id=reference, now=timezone.now()) if reference else None
    return unfinished.form_key.partition(":")[0] if unfinished else uuid4().hex


def render_checkout(started: StartedCheckout) -> dict[str, str | None]:
    """A started checkout as the API and the script see it."""
    return {
        "id": started.session_id,
        "object": "checkout_session",
        "payment": started.payment.public_id,
        "client_secret": started.client_secret or None,
        "url": started.url or None,
    }


def checkout_pages() -> CheckoutPages:
    """Our pages that Stripe sends the buyer back to."""
    site = conf.site_url()
    return CheckoutPages(
        returned=f"{site}{reverse('billing:checkout_return')}?session_id={{CHECKOUT_SESSION_ID}}",
        cancelled=f"{site}{reverse('billing:checkout_cancelled')}",
    )


def hash_address(request: HttpRequest) -> str:
    """A keyed hash of the caller's address; in IPv6 of its /64, because each household has that many addresses."""
    address = client_address(request)
    if isinstance(ip_address(address), IPv6Address):
        address = str(ip_network((address, 64), strict=False))
    return keyed_hash(address)


def _read_order(request: HttpRequest, *, pack: str) -> Order:
    if pack != CUSTOM_SLUG:
        return order_pack(slug=pack)
    return order_custom_amount(amount_minor=_read_amount_minor(request.POST.get("amount", "")))


def _read_amount_minor(text: str) -> int:
    cleaned = text.strip().removeprefix("$").replace(",", "")
    try:
        amount = Decimal(cleaned)
    except InvalidOperation as error:
        raise InvalidAmount(field="amount", fault=f"{text[:40]!r} is not an amount of dollars") from error
    if not amount.is_finite() or abs(amount) > 1_000_000:
        raise InvalidAmount(field="amount", fault=f"{text[:40]!r} is not an amount that can be paid")
    return minor_units(amount=amount, currency=CUSTOM_CURRENCY)


def _read_form_key(request: HttpRequest) -> str:
    form_key = request.POST.get("form_key", "")
    if not _FORM_KEY.fullmatch(form_key):
        raise InvalidRequest(
            field="form_key",
            fault="it is missing or malformed",
            remedy="Send the value of the form, 8 to 64 letters, digits, - or _.",
        )
    return form_key


def _read_ui_mode(request: HttpRequest) -> UiMode:
    given = request.POST.get("ui_mode", "")
    if given not in _UI_MODES:
        raise InvalidRequest(field="ui_mode", fault=f"{given[:40]!r} is unknown", remedy="Send 'embedded' or 'hosted'.")
    return _UI_MODES[given]
