"""Who may see which page, and that nothing changes by a request from elsewhere."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import User
from billing.models import CreditPack

PUBLIC = {"billing:home", "billing:metrics", "billing:stripe_webhook", "billing:unsubscribe"}
# They prove themselves by a signature (metrics: by a token), not by a cookie.
MACHINES = {"billing:stripe_webhook", "billing:unsubscribe"}
ARGUMENTS = {
    "pack": "standard",
    "plan": "pro",
    "key": "x",
    "uidb36": "1",
    "pk": "1",
    "extra_tags": "x",
    "provider": "google",
    "call": "use_x",
    "sequence": "1",
    "public_id": "x",
    "endpoint": "x",
    "delivery": "x",
    "notice": "x",
    "token": "x",
}


def walk(resolver: URLResolver, *, prefix: str = "", namespace: str = "") -> Iterator[tuple[str, str]]:
    """Each address below a resolver as (name, path), with arguments filled in."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}", "/" + fill(route)
        elif pattern.namespace not in {"admin"}:
            inner = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from walk(pattern, prefix=route, namespace=namespace + inner)


def fill(route: str) -> str:
    """The route with something in place of each argument."""
    path = route.replace("^", "").replace("\\Z", "").replace("$", "")
    for name, value in ARGUMENTS.items():
        for converter in ("", "slug:", "str:", "int:"):
            path = path.replace(f"<{converter}{name}>", value)
        path = path.replace(f"(?P<{name}>[-:\\w]+)", value)
    return path.split("(?P<uidb36>")[0]


ADDRESSES = [(name, path) for name, path in walk(get_resolver()) if not path.startswith("/admin/")]
PAGES = [(name, path) for name, path in ADDRESSES if name.startswith(("billing:", "usage:")) and name not in PUBLIC]


@pytest.fixture
def pack(db: None) -> CreditPack:
    return CreditPack.objects.create(slug="standard", name="10,000 credits", credits=10_000, price_minor=1000)


def test_walk_finds_the_pages_of_billing_and_of_accounts() -> None:
    names = {name for name, _ in ADDRESSES}

    assert {"billing:overview", "billing:buy_pack", "account_login", "account_email", "mfa_activate_totp"} <= names


@pytest.mark.parametrize(("name", "path"), PAGES)
def test_strangers_are_sent_to_log_in(name: str, path: str, client: Client, pack: CreditPack) -> None:
    response = client.get(path)
    if response.status_code == 405:  # an act without a page of its own
        response = client.post(path)

    assert response.status_code == 302
    assert response["Location"].startswith(f"/accounts/login/?next={path.split('?')[0]}")


@pytest.mark.parametrize(("name", "path"), PAGES)
def test_pages_of_customers_are_kept_by_no_cache(name: str, path: str, browser: Client, pack: CreditPack) -> None:
    response = browser.get(path)

    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(("name", "path"), [address for address in ADDRESSES if address[0] not in MACHINES])
def test_no_address_takes_a_form_without_its_token(name: str, path: str, user: User, pack: CreditPack) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)

    response = browser.post(path, {"form_key": "x" * 12, "email": "thief@example.com"})

    assert response.status_code in {401, 403, 404, 405}, f"{name} took a form that no page of ours sent"


def test_the_page_for_a_refused_form_says_that_nothing_happened(user: User, pack: CreditPack) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)

    response = browser.post("/billing/buy/standard/", {"form_key": "x" * 12})

    assert response.status_code == 403
    assert b"nothing was charged" in response.content


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/billing/checkout/return/?session_id=%00", 400),
        ("/billing/checkout/return/status/?session_id=cs_%00&looks=1", 400),
        ("/billing/buy/standard/?payment=%00", 400),
        ("/billing/buy/custom/?amount=25&payment=a%00", 400),
        (f"/billing/payments/?before={'9' * 5000}", 404),
        (f"/billing/ledger/?before={'9' * 5000}", 404),
    ],
)
def test_address_that_the_database_cannot_read_is_refused(
    address: str, status: int, client: Client, user: User, pack: CreditPack
) -> None:
    client.force_login(user)

    assert client.get(address).status_code == status
