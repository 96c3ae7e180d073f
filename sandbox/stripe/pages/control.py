"""The control page: what there is, what was told to whom, and buttons to make things go wrong."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from sandbox.stripe.control import Control
from sandbox.stripe.errors import ApiError
from sandbox.stripe.giving_back.starting import read_refund_start
from sandbox.stripe.handler import render_page, sandbox_of
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.pages.buttons import MONEY_ACTIONS, buttons_for, takes_amount
from sandbox.stripe.pages.credit_buttons import credit_ways
from sandbox.stripe.pages.money import format_amount
from sandbox.stripe.pages.subscription_buttons import (
    Action,
    describe_clock,
    other_prices,
    say_subscription,
)
from sandbox.stripe.pages.tokens import ForeignForm, require_token
from sandbox.stripe.records import Resource, public
from sandbox.stripe.store import Condition

MOST_ROWS = 50
_FIRST_KIND = "checkout.session"


def objects_view(request: HttpRequest) -> HttpResponse:
    """Objects by kind, newest first."""
    sandbox = sandbox_of(request)
    kind = request.GET.get("kind", _FIRST_KIND)
    with sandbox.work():
        counts = {name: count for name, count in sandbox.store.count_by_kind().items() if "sandbox." not in name}
        counts.setdefault(_FIRST_KIND, 0)
        rows = [_describe(sandbox, found) for found in sandbox.store.find(kind, limit=MOST_ROWS)]
        refunds_start = read_refund_start(sandbox)
    context: dict[str, Any] = {
        "kind": kind,
        "counts": sorted(counts.items()),
        "rows": rows,
        "refunds_start": refunds_start,
    }
    context |= {"page": "objects", "clock": describe_clock(Control(sandbox))}
    return _render(request, "objects.html", context)


def object_view(request: HttpRequest, object_id: str) -> HttpResponse:
    """One object as the API shows it."""
    sandbox = sandbox_of(request)
    with sandbox.work():
        found = sandbox.store.get(object_id)
        row = _describe(sandbox, found) if found else None
    if found is None:
        raise Http404("There is no such object.")
    text = json.dumps(public(found), indent=2)
    return _render(request, "object.html", {"object": found, "text": text, "row": row, "page": "objects"})


def events_view(request: HttpRequest) -> HttpResponse:
    """Events and their deliveries, newest first."""
    sandbox = sandbox_of(request)
    with sandbox.work():
        events = sandbox.store.find("event", limit=MOST_ROWS)
        endpoints = sandbox.store.find("webhook_endpoint")
        urls = {endpoint["id"]: endpoint["url"] for endpoint in endpoints}
        rows = [{"event": event, "deliveries": _deliveries_of(sandbox, event, urls)} for event in events]
    context = {
        "rows": rows,
        "endpoints": endpoints,
        "switch": Control(sandbox).read_deliveries(),
        "breaches": sandbox.breaches[-20:],
        "page": "events",
    }
    return _render(request, "events.html", context)


def act_view(request: HttpRequest) -> HttpResponse:
    """Press a button, then go back to where it was."""
    if request.method != "POST":
        return HttpResponse(status=405)
    try:
        require_token(request)
        action = _ACTIONS.get(request.POST.get("action", ""))
        if action is None:
            raise Http404("There is no such action.")
        action(Control(sandbox_of(request)), request.POST.dict())
    except ForeignForm:
        message = "This form came from another site or from before a restart. Go back and load the page again."
        return _render(request, "refused.html", {"message": message}, status=403)
    except (ApiError, ValueError, TypeError) as error:
        return _render(request, "refused.html", {"message": str(error)}, status=409)
    back = request.POST.get("back", "")
    response = HttpResponseRedirect(back if back.startswith("/sandbox/") else "/sandbox/")
    response.status_code = 303
    return response


def _describe(sandbox: Sandbox, found: Resource) -> dict[str, Any]:
    amount = found.get("amount_total", found.get("unit_amount", found.get("amount", found.get("total"))))
    is_money = isinstance(amount, int) and found.get("currency")
    names = ("name", "email", "type", "client_reference_id", "reason", "fraud_type", "billing_reason")
    return {
        "id": found["id"],
        "created": found.get("created"),
        "state": found.get("payment_status") if found.get("status") == "complete" else found.get("status"),
        "amount": format_amount(amount or 0, found["currency"]) if is_money else "",
        "text": _say_subscription(sandbox, found)
        or _say_note(found)
        or next((found[name] for name in names if found.get(name)), "")
        or _say_given_back(found),
        "page_url": _page_of(found),
        "buttons": buttons_for(sandbox, found),
        "takes_amount": takes_amount(found),
        "prices": other_prices(sandbox, found),
        "credit_ways": credit_ways(sandbox, found),
    }


def _page_of(found: Resource) -> str | None:
    names = {"checkout.session": "url", "invoice": "hosted_invoice_url", "credit_note": "pdf"}
    return found.get(names.get(found["object"], ""))


def _say_subscription(sandbox: Sandbox, found: Resource) -> str:
    return say_subscription(sandbox, found) if found["object"] == "subscription" else ""


def _say_note(found: Resource) -> str:
    is_note = found["object"] == "credit_note"
    return f"{found['number']}, {found['type'].replace('_', ' ')}" if is_note else ""


def _say_given_back(found: Resource) -> str:
    if not found.get("amount_refunded"):
        return "disputed" if found.get("disputed") else ""
    refunded = f"{format_amount(found['amount_refunded'], found['currency'])} refunded"
    return f"{refunded}, disputed" if found["disputed"] else refunded


def _deliveries_of(sandbox: Sandbox, event: Resource, urls: dict[str, str]) -> list[Resource]:
    found = sandbox.store.find("sandbox.delivery", [Condition("event", "=", event["id"])])
    return [{**delivery, "url": urls.get(delivery["endpoint"], "")} for delivery in found]


def _set_switch(control: Control, fields: dict[str, str]) -> None:
    control.set_deliveries(
        mode=_one_of(fields["mode"], "deliver", "collect", "drop"),
        delay_seconds=min(max(float(fields.get("delay_seconds") or 0), 0), 3600),
        copies=min(max(int(fields.get("copies") or 1), 1), 5),
        reorder="reorder" in fields,
        signature=_one_of(fields.get("signature", "good"), "good", "wrong", "old"),
    )


def _one_of(value: str, *choices: str) -> str:
    if value not in choices:
        raise ValueError(f"{value} is none of {', '.join(choices)}.")
    return value


_ACTIONS: dict[str, Action] = {
    **MONEY_ACTIONS,
    "resend": lambda control, fields: control.resend_event(fields["target"]),
    "duplicate": lambda control, fields: control.resend_event(fields["target"], copies=2),
    "delay": lambda control, fields: control.delay_event(fields["target"], seconds=30),
    "drop": lambda control, fields: control.drop_event(fields["target"]),
    "settle": lambda control, fields: control.settle_delayed(fields["target"], succeed=True),
    "fail": lambda control, fields: control.settle_delayed(fields["target"], succeed=False),
    "expire": lambda control, fields: control.expire_session(fields["target"]),
    "switch": _set_switch,
    "release": lambda control, fields: control.release_deliveries(),
    "release_reversed": lambda control, fields: control.release_deliveries(newest_first=True),
}


def _render(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    shared = {"token": sandbox_of(request).form_token, "here": request.get_full_path()}
    return render_page(template, {**shared, **context}, status=status)
