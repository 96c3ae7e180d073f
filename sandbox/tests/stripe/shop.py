"""A small shop for the tests: the official SDK against the sandbox, and a browser without scripts."""

import re
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from http.client import HTTPConnection
from typing import Any

from stripe import StripeClient
from stripe.checkout import Session

from sandbox.stripe.server import SandboxServer

SECRET = "whsec_test"


@dataclass(frozen=True)
class Page:
    """What a browser got."""

    status: int
    html: str
    headers: dict[str, str]

    @property
    def text(self) -> str:
        """The page without tags."""
        return unescape(re.sub(r"<[^>]+>", " ", self.html))


class Shop:
    """Sells one pack for $10.00."""

    def __init__(self, server: SandboxServer) -> None:
        self.server, self.control = server, server.control
        self.client = StripeClient("sk_test_shop", base_addresses={"api": server.base_url})
        product = self.client.v1.products.create({"name": "10,000 credits"})
        self.price = self.client.v1.prices.create({"product": product.id, "unit_amount": 1000, "currency": "usd"})

    def open_session(self, **more: Any) -> Session:
        """A hosted session of one pack; more parameters are added or replace."""
        params: dict[str, Any] = {
            "mode": "payment",
            "success_url": "http://shop.test/done?s={CHECKOUT_SESSION_ID}",
            "line_items": [{"price": self.price.id, "quantity": 1}],
            **more,
        }
        return self.client.v1.checkout.sessions.create(params)  # type: ignore[arg-type]

    def open_embedded(self, **more: Any) -> Session:
        """An embedded session of one pack."""
        params: dict[str, Any] = {
            "mode": "payment",
            "ui_mode": "embedded_page",
            "return_url": "http://shop.test/return?s={CHECKOUT_SESSION_ID}",
            "line_items": [{"price": self.price.id, "quantity": 1}],
            **more,
        }
        return self.client.v1.checkout.sessions.create(params)  # type: ignore[arg-type]

    def read_session(self, session_id: str, *expand: str) -> Session:
        """The session as it is now."""
        return self.client.v1.checkout.sessions.retrieve(session_id, {"expand": list(expand)})

    def event_types(self, *, since: int = 0) -> list[str]:
        """The types of all events but the first ``since``."""
        return [event["type"] for event in self.control.list_events()][since:]

    def browse(self, address: str, fields: dict[str, str] | None = None, **headers: str) -> Page:
        """GET a page, or POST these fields to it. Redirects are not followed."""
        parts = urllib.parse.urlsplit(address)
        own = urllib.parse.urlsplit(self.server.base_url)
        connection = HTTPConnection(own.hostname or "", own.port, timeout=10)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if fields is None:
            connection.request("GET", target, headers=headers)
        else:
            form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
            connection.request("POST", target, urllib.parse.urlencode(fields), form)
        response = connection.getresponse()
        page = Page(response.status, response.read().decode(), dict(response.getheaders()))
        connection.close()
        return page

    def pay_on_page(self, session: Session, **typed: str) -> Page:
        """Fill the page of a hosted session and press Pay; ``action`` presses another button."""
        address = session.url or ""
        found = re.search(r'name="token" value="([^"]+)"', self.browse(address).html)
        token = found[1] if found else ""
        fields = {"email": "ada@example.com", "number": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123"}
        return self.browse(address, {"token": token, "action": "pay", **fields, **typed})


def wait_until(is_done: Callable[[], object], *, seconds: float = 5.0) -> None:
    """Wait until something is so, or fail."""
    deadline = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.01)
