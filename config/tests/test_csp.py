"""Who may use which sources."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import Client, RequestFactory
from pytest_django import Settings

from billing.views.csp import checkout_csp
from config.csp import PAGES, PolicyMiddleware, checkout_additions, origin_of, pages_policy


def send(view: Callable[[HttpRequest], HttpResponseBase], path: str = "/billing/buy/starter/") -> dict[str, set[str]]:
    """The directives of the policy that a view's answer is sent with."""
    request = RequestFactory().get(path)
    answer = PolicyMiddleware(view)(request)
    assert isinstance(answer, HttpResponseBase)
    policy = answer["Content-Security-Policy"]
    return {name: set(sources) for name, *sources in (part.split() for part in policy.split("; "))}


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("page")


def with_nonce(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.csp_nonce))  # type: ignore[attr-defined]  # set by the middleware


def test_page_may_use_our_own_sources_only() -> None:
    policy = send(plain)

    assert policy["default-src"] == policy["base-uri"] == policy["object-src"] == {"'none'"}
    assert policy["frame-ancestors"] == {"'none'"}
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == policy["connect-src"] == {"'self'"}


def test_address_that_cannot_be_read_has_no_origin() -> None:
    assert origin_of("https://[js.stripe.com/stripe.js") == ""


def test_each_answer_has_a_nonce_of_its_own() -> None:
    first, second = (send(with_nonce)["script-src"] for _ in range(2))

    assert first != second
    assert any(source.startswith("'nonce-") for source in first)


def test_checkout_page_alone_opens_stripe(settings: Settings) -> None:
    settings.CHECKOUT_CSP = checkout_additions(
        js_url="https://js.stripe.com/endive/stripe.js", api_base="https://api.stripe.com"
    )

    policy = send(checkout_csp(plain))

    assert {"https://js.stripe.com", "https://*.js.stripe.com", "https://checkout.stripe.com"} < policy["script-src"]
    assert "https://hooks.stripe.com" in policy["frame-src"]
    assert policy["connect-src"] == {"'self'", "https://api.stripe.com", "https://checkout.stripe.com"}
    assert policy["default-src"] == {"'none'"}
    assert "https://js.stripe.com" not in send(plain)["script-src"]


def test_checkout_page_opens_the_stand_in_and_not_stripe_when_it_is_used() -> None:
    additions = checkout_additions(js_url="http://127.0.0.1:8010/stripe.js", api_base="http://127.0.0.1:8010")

    assert set(additions) == {"script-src", "frame-src", "connect-src", "img-src", "form-action"}
    assert all(sources == ["http://127.0.0.1:8010"] for sources in additions.values())


def test_views_arguments_pass_the_decorator() -> None:
    @checkout_csp
    def view(request: HttpRequest, slug: str) -> HttpResponse:
        return HttpResponse(slug)

    assert view(RequestFactory().get("/"), slug="starter").status_code == 200


def test_admin_alone_may_evaluate() -> None:
    assert "'unsafe-eval'" in send(plain, "/admin/billing/")["script-src"]
    assert not any("unsafe" in source for sources in send(plain).values() for source in sources)


def test_google_login_may_be_redirected_to() -> None:
    assert "https://accounts.google.com" in pages_policy(google_login=True)["form-action"]
    assert pages_policy(google_login=False) == PAGES


def test_security_headers_of_a_page(client: Client) -> None:
    response = client.get("/no-such-page/")

    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    assert "camera=()" in response["Permissions-Policy"]
    assert "default-src 'none'" in response["Content-Security-Policy"]
