"""The page of the customer portal: change plan, cancel, go on, change card, pay, read invoices, change details."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from sandbox.stripe.checkout.cards import TEST_CARDS
from sandbox.stripe.errors import ApiError
from sandbox.stripe.handler import render_page, sandbox_of
from sandbox.stripe.machine import Cause
from sandbox.stripe.pages.portal_acts import act
from sandbox.stripe.pages.portal_visits import Visit, open_visit
from sandbox.stripe.portal import paying, updating
from sandbox.stripe.portal.describing import (
    describe_card,
    describe_customer,
    describe_invoices,
    describe_price,
    describe_subscription,
    describe_update,
)
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.settings import subscriptions_of
from sandbox.stripe.taxes import COUNTRIES


def portal_view(request: HttpRequest, session_id: str, token: str) -> HttpResponse:
    """Show a page of the portal, or do what the customer asks for."""
    sandbox = sandbox_of(request)
    with sandbox.work(Cause()):
        visit = open_visit(sandbox, request, session_id, token)
        if visit is None:
            session = sandbox.require("billing_portal.session", session_id)
            return render_page("portal_expired.html", {"return_url": session["return_url"]}, status=410)
        if request.method == "POST":
            leads_to = act(visit, request)
            if leads_to is not None:
                return _see(leads_to)
            visit.customer = sandbox.require("customer", visit.customer["id"])
        return _render(visit)


def _see(address: str) -> HttpResponse:
    response = HttpResponseRedirect(address)
    response.status_code = 303
    return response


def _render(visit: Visit) -> HttpResponse:
    view = visit.typed.get("view", "home")
    shown = _SHOWN.get(view, _show_home)
    try:
        template, more = shown(visit)
    except ApiError as error:
        visit.message = error.message
        template, more = _show_home(visit)
    said = visit.session.pop("_said", None)
    if said:
        visit.sandbox.store.put(visit.session)
    context = {
        "features": visit.configuration["features"],
        "headline": visit.configuration["business_profile"]["headline"],
        "customer": describe_customer(visit.sandbox, visit.customer),
        "return_url": visit.session["return_url"],
        "is_inside": template != "portal_home.html" and not visit.is_in_flow,
        "home": visit.address(view="home"),
        "here": visit.address(),
        "typed": visit.typed,
        "form": {"errors": visit.errors, "message": visit.message},
        "said": said,
        "token": visit.sandbox.form_token,
        **more,
    }
    return render_page(template, context, status=422 if visit.errors or visit.message else 200)


def _show_home(visit: Visit) -> tuple[str, Resource]:
    running = subscriptions_of(visit.sandbox, visit.customer["id"])
    described = [describe_subscription(visit.sandbox, visit.configuration, one) for one in running]
    card = describe_card(paying.card_of(visit.sandbox, visit.customer))
    invoices = describe_invoices(visit.sandbox, visit.customer)
    return "portal_home.html", {"subscriptions": described, "card": card, "invoices": invoices}


def _show_plans(visit: Visit) -> tuple[str, Resource]:
    subscription = visit.subscription()
    if not updating.can_update(subscription, visit.configuration):
        raise ApiError("This plan cannot be changed now.")
    prices = updating.prices_for(visit.sandbox, visit.configuration, subscription)
    current = subscription["items"]["data"][0]["price"]["id"]
    plans = [{**describe_price(visit.sandbox, price), "is_current": price["id"] == current} for price in prices]
    described = describe_subscription(visit.sandbox, visit.configuration, subscription)
    return "portal_plans.html", {"subscription": described, "plans": plans}


def _show_confirm(visit: Visit) -> tuple[str, Resource]:
    subscription = visit.subscription()
    described = describe_subscription(visit.sandbox, visit.configuration, subscription)
    update = describe_update(visit.sandbox, subscription, visit.update())
    return "portal_confirm.html", {"subscription": described, "update": update}


def _show_cancel(visit: Visit) -> tuple[str, Resource]:
    described = describe_subscription(visit.sandbox, visit.configuration, visit.subscription())
    if not described["can_cancel"]:
        raise ApiError("This plan cannot be cancelled here.")
    mode = visit.configuration["features"]["subscription_cancel"]["mode"]
    return "portal_cancel.html", {"subscription": described, "is_at_end": mode == "at_period_end"}


def _show_card(visit: Visit) -> tuple[str, Resource]:
    visit.require_feature("payment_method_update")
    card = describe_card(paying.card_of(visit.sandbox, visit.customer))
    return "portal_card.html", {"card": card, "test_cards": TEST_CARDS}


def _show_details(visit: Visit) -> tuple[str, Resource]:
    visit.require_feature("customer_update")
    allowed = visit.configuration["features"]["customer_update"]["allowed_updates"]
    return "portal_details.html", {"allowed": allowed, "countries": COUNTRIES.items()}


def _show_done(visit: Visit) -> tuple[str, Resource]:
    return "portal_done.html", {}


_SHOWN: dict[str, Callable[[Visit], tuple[str, Resource]]] = {
    "home": _show_home,
    "plans": _show_plans,
    "confirm": _show_confirm,
    "cancel": _show_cancel,
    "card": _show_card,
    "details": _show_details,
    "done": _show_done,
}
