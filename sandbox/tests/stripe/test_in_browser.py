"""The stand-in for Stripe.js and the pages, in a real Chromium, from a shop with a strict policy of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from sandbox.tests.stripe.portal_shop import PortalShop
from sandbox.tests.stripe.shop import Shop

playwright = pytest.importorskip("playwright.sync_api", reason="browser tests need requirements-dev.txt")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="browser tests need requirements-dev.txt")
pytestmark = pytest.mark.browser

_HOST_PAGE = """<!doctype html><html lang="en"><head><title>Shop</title></head><body>
<h1>Shop</h1><main id="checkout"></main><p id="said"></p>
<script src="{sandbox}/stripe.js"></script><script src="/shop.js"></script></body></html>"""
_MOUNT = """
const said = document.querySelector("#said");
Stripe("pk_test_shop").createEmbeddedCheckoutPage({{
  fetchClientSecret: async () => "{client_secret}",
  onComplete: () => {{ said.textContent = "complete"; }},
}}).then((page) => {{ window.page = page; page.mount("#checkout"); }});
"""


@dataclass
class HostShop:
    """A shop on an origin of its own that mounts embedded checkout."""

    sandbox_url: str
    script: str = ""
    visited: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def host(shop: Shop) -> Iterator[HostShop]:
    host_shop = HostShop(shop.server.base_url)
    policy = (
        f"default-src 'none'; script-src 'self' {host_shop.sandbox_url}; frame-src {host_shop.sandbox_url}; "
        "style-src 'self'; img-src 'self'"
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host_shop.visited.append(self.path)
            is_script = self.path == "/shop.js"
            page = _HOST_PAGE.format(sandbox=host_shop.sandbox_url)
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if is_script else "text/html")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write((host_shop.script if is_script else page).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    host_shop.url = f"http://127.0.0.1:{server.server_port}"
    yield host_shop
    server.shutdown()
    server.server_close()


@dataclass
class Tab:
    """A page of Chromium and what its console said."""

    page: Any
    said: list[str] = field(default_factory=list)


@pytest.fixture
def open_tab(chromium: Any) -> Iterator[Callable[..., Tab]]:
    contexts = []

    def open_one(*, width: int = 1280, scheme: str = "light") -> Tab:
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        tab = Tab(contexts[-1].new_page())
        tab.page.on("console", lambda message: tab.said.append(message.text))
        tab.page.on("pageerror", lambda error: tab.said.append(str(error)))
        return tab

    yield open_one
    for context in contexts:
        context.close()


def test_embedded_checkout_pays_and_leads_to_the_return_url(
    shop: Shop, host: HostShop, open_tab: Callable[..., Tab]
) -> None:
    session = shop.open_embedded(return_url=host.url + "/return?s={CHECKOUT_SESSION_ID}")
    host.script = _MOUNT.format(client_secret=session.client_secret)
    tab = open_tab(width=375)
    tab.page.goto(host.url)
    frame = tab.page.frame_locator("iframe")

    frame.get_by_label("E-mail").fill("ada@example.com")
    frame.get_by_label("Card number").fill("4242424242424242")
    frame.get_by_label("Expiry date").fill("1234")
    frame.get_by_label("Security code").fill("123")
    height = tab.page.locator("iframe").evaluate("frame => frame.clientHeight")
    inner = frame.locator("main").evaluate("main => main.scrollHeight")
    frame.get_by_role("button", name="Pay $10.00").click()
    tab.page.wait_for_url("**/return?s=*")

    assert f"/return?s={session.id}" in host.visited
    assert shop.read_session(session.id).payment_status == "paid"
    assert height >= inner
    assert [said for said in tab.said if "Content Security Policy" in said] == []


def test_embedded_checkout_without_a_redirect_calls_back(
    shop: Shop, host: HostShop, open_tab: Callable[..., Tab]
) -> None:
    params = {
        "mode": "payment",
        "ui_mode": "embedded_page",
        "redirect_on_completion": "never",
        "customer_email": "ada@example.com",
        "line_items": [{"price": shop.price.id, "quantity": 1}],
    }
    session = shop.client.v1.checkout.sessions.create(params)  # type: ignore[arg-type]
    host.script = _MOUNT.format(client_secret=session.client_secret)
    tab = open_tab()
    tab.page.goto(host.url)
    frame = tab.page.frame_locator("iframe")

    frame.get_by_text("Test cards and accounts").click()
    frame.get_by_role("button", name="4242424242424242").click()
    frame.get_by_role("button", name="Pay $10.00").click()

    playwright.expect(tab.page.locator("#said")).to_have_text("complete")
    assert frame.get_by_text("Payment complete").is_visible()
    assert tab.page.url == host.url + "/"


def test_stripe_js_refuses_what_the_real_one_refuses(shop: Shop, host: HostShop, open_tab: Callable[..., Tab]) -> None:
    host.script = _MOUNT.format(client_secret=shop.open_embedded().client_secret)
    tab = open_tab()
    tab.page.goto(host.url)
    tab.page.frame_locator("iframe").get_by_label("E-mail").wait_for()

    refusals = tab.page.evaluate(
        """async () => {
          const told = async (act) => { try { await act(); return null; } catch (error) { return error.message; } };
          const stripe = Stripe("pk_test_shop");
          const fetchClientSecret = async () => "nonsense";
          return {
            liveKey: await told(() => Stripe("pk_live_shop")),
            oldName: await told(() => stripe.initEmbeddedCheckout({})),
            second: await told(() => stripe.createEmbeddedCheckoutPage({ fetchClientSecret })),
            badSecret: await told(() => {
              page.destroy();
              return stripe.createEmbeddedCheckoutPage({ fetchClientSecret });
            }),
            noFunction: await told(() => stripe.createEmbeddedCheckoutPage({})),
            destroyed: await told(() => page.mount("#checkout")),
            frames: document.querySelectorAll("iframe").length,
          };
        }"""
    )

    assert "createEmbeddedCheckoutPage" in refusals["oldName"]
    assert "multiple embedded Checkout" in refusals["second"]
    assert "client secret" in refusals["badSecret"]
    assert "destroyed" in refusals["destroyed"]
    assert refusals["liveKey"]
    assert refusals["noFunction"]
    assert refusals["frames"] == 0


def test_hosted_page_is_paid_by_keyboard_alone(shop: Shop, open_tab: Callable[..., Tab]) -> None:
    session = shop.open_session(success_url=f"{shop.server.base_url}/sandbox/?done", customer_email="ada@example.com")
    page = open_tab().page
    page.goto(session.url or "")

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    for typed in ("", "4000000000009995", "1234", "123"):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()

    assert page.get_by_role("alert").inner_text() == "Your card has insufficient funds."
    # A script gives it the focus, a moment after it is there.
    playwright.expect(page.get_by_role("alert")).to_be_focused()


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit(shop: Shop, open_tab: Callable[..., Tab], width: int, scheme: str) -> None:
    shop.control.add_endpoint("http://127.0.0.1:9/hook/", secrets="whsec_test")
    session = shop.open_session(allow_promotion_codes=True, cancel_url="http://shop.test/")
    shop.control.pay_session(shop.open_session().id, method="bank_debit")
    paid = shop.control.fill_payments(2)
    shop.control.refund_payment(paid[0]["charge"], amount=100, status="pending")
    shop.control.open_dispute(paid[1]["charge"], inquiry=True)
    portal = PortalShop(shop)
    subscription, way_in = portal.subscribe(), portal.open()
    portal_pages = (
        way_in,
        f"{way_in}?view=plans&subscription={subscription}",
        f"{way_in}?view=confirm&subscription={subscription}&price={portal.prices['plus']}",
        f"{way_in}?view=cancel&subscription={subscription}",
        f"{way_in}?view=card",
        f"{way_in}?view=details",
    )
    taxed = shop.open_session(automatic_tax={"enabled": True}, tax_id_collection={"enabled": True})
    lists = [f"?kind={kind}" for kind in ("charge", "refund", "dispute")]
    page = open_tab(width=width, scheme=scheme).page

    for address in (
        session.url or "",
        taxed.url or "",
        *portal_pages,
        *(f"{shop.server.base_url}/sandbox/{name}" for name in ("", *lists, "events/", "mail/")),
    ):
        page.goto(address)
        result = axe.Axe().run(page)
        assert result.violations_count == 0, f"{address}\n{result.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def test_tax_is_shown_as_soon_as_the_country_is_chosen(
    shop: Shop, host: HostShop, open_tab: Callable[..., Tab]
) -> None:
    session = shop.open_embedded(
        return_url=host.url + "/return?s={CHECKOUT_SESSION_ID}",
        automatic_tax={"enabled": True},
        billing_address_collection="required",
    )
    host.script = _MOUNT.format(client_secret=session.client_secret)
    tab = open_tab(width=375)
    tab.page.goto(host.url)
    frame = tab.page.frame_locator("iframe")

    frame.get_by_label("E-mail").fill("ada@example.com")
    frame.get_by_label("Country").select_option("FR")
    frame.get_by_role("button", name="Pay $12.00").wait_for()
    frame.get_by_text("Test cards and accounts").click()
    frame.get_by_role("button", name="4242424242424242").click()
    frame.get_by_label("Security code").press("Enter")
    tab.page.wait_for_url("**/return?s=*")

    assert shop.read_session(session.id).amount_total == 1200
    assert [said for said in tab.said if "Content Security Policy" in said] == []


def test_plan_is_changed_by_keyboard_alone(shop: Shop, open_tab: Callable[..., Tab]) -> None:
    portal = PortalShop(shop)
    subscription = portal.subscribe()
    portal.configure(invoice_history={"enabled": False})
    page = open_tab(width=375).page
    page.goto(portal.open())

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("radio", name="Pro Plus").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Confirm and pay $30.00").focus()
    page.keyboard.press("Enter")
    page.get_by_role("status").wait_for()

    assert "Your plan was changed." in page.get_by_role("status").inner_text()
    assert portal.plan_of(subscription) == "plus"
