"""What every endpoint promises: who may call, problem documents, strict bodies."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import OperationalError
from django.test import Client
from django.urls import URLPattern
from rest_framework.views import APIView

from accounts.models import Scope, User
from billing.api.base import CallerView, NoSuchAddress
from billing.api.permissions import StaffOnly
from billing.api.urls import urlpatterns
from billing.models import Adjustment, BillingCustomer
from billing.tests.api.conftest import CREDITS, ENTRIES, give, make_staff

pytestmark = pytest.mark.django_db


def check_problem(answer: Any, *, status: int, code: str) -> dict[str, Any]:
    """Whether it is a problem document that says so; gives its members."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    members: dict[str, Any] = answer.json()
    assert (members["status"], members["code"]) == (status, code)
    assert members["type"] == "about:blank"
    assert members["title"]
    assert members["detail"]
    return members


def views() -> list[type[APIView]]:
    return [pattern.callback.view_class for pattern in urlpatterns if isinstance(pattern, URLPattern)]  # type: ignore[attr-defined]


def test_every_endpoint_names_its_permission_or_its_scopes() -> None:
    for view in views():
        if issubclass(view, CallerView):
            assert set(view.scopes.values()) <= set(Scope), view
            continue
        assert StaffOnly in view.permission_classes
        assert getattr(view, "permission", "").startswith("billing."), view


@pytest.mark.parametrize("address", [CREDITS, ENTRIES])
def test_strangers_are_asked_who_they_are(client: Client, address: str) -> None:
    answer = client.get(address) if address == ENTRIES else give(client, {})

    check_problem(answer, status=401, code="not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("address", [CREDITS, ENTRIES])
def test_customers_are_refused(client: Client, customer: BillingCustomer, address: str) -> None:
    assert customer.user is not None
    client.force_login(customer.user)

    answer = client.get(address) if address == ENTRIES else give(client, {})

    check_problem(answer, status=403, code="permission_denied")


@pytest.mark.parametrize(
    ("address", "other", "needed"),
    [(CREDITS, "view_ledgerentry", "billing.adjust_credits"), (ENTRIES, "adjust_credits", "billing.view_ledgerentry")],
)
def test_staff_without_the_right_are_told_which(client: Client, address: str, other: str, needed: str) -> None:
    client.force_login(make_staff("clerk@example.com", other))

    answer = client.get(address) if address == ENTRIES else give(client, {})

    assert check_problem(answer, status=403, code="not_permitted")["permission"] == needed


def test_where_it_is_asked_for_staff_need_a_second_factor(api: Client, agent: User, settings: Any) -> None:
    settings.STAFF_NEEDS_SECOND_FACTOR = True

    check_problem(api.get(ENTRIES), status=403, code="second_factor_required")
    check_problem(give(api, {}), status=403, code="second_factor_required")

    TOTP.activate(agent, generate_totp_secret())
    assert api.get(ENTRIES).status_code == 200


def test_session_without_its_token_changes_nothing(agent: User, customer: BillingCustomer) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(agent)
    body = {"customer": customer.public_id, "amount": "5", "reason_code": "goodwill", "note": "Sorry"}

    check_problem(give(browser, body), status=403, code="csrf_failed")
    check_problem(browser.post(CREDITS, body), status=403, code="csrf_failed")
    token = "x" * 32
    browser.cookies["csrftoken"] = token
    check_problem(give(browser, body, **{"X-CSRFToken": "y" * 32}), status=403, code="csrf_failed")
    assert not Adjustment.objects.exists()

    assert give(browser, body, **{"X-CSRFToken": token}).status_code == 201
    assert browser.get(ENTRIES).status_code == 200


@pytest.mark.parametrize(
    "path", ["", "admin", "admin/credits/", "admin/nothing", "../v1/x", "%00", "a%0Ab", "customers/a%0Ab"]
)
def test_unknown_address_is_a_problem_document(client: Client, path: str) -> None:
    check_problem(client.get(f"/api/v1/{path}"), status=404, code="not_found")
    check_problem(client.post(f"/api/v1/{path}"), status=404, code="not_found")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "get"])
def test_other_methods_are_refused(api: Client, method: str) -> None:
    answer = getattr(api, method)(CREDITS)

    check_problem(answer, status=405, code="method_not_allowed")
    assert answer["Allow"] == "POST"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        ("a=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ("{}", "text/plain", 415, "unsupported_media_type"),
        ("{}", "application/jsonx", 415, "unsupported_media_type"),
        ("{", "application/json", 400, "parse_error"),
        ("", "application/json", 400, "invalid_request"),
        ("NaN", "application/json", 400, "parse_error"),
        (b"\xff\xfe", "application/json", 400, "parse_error"),
        (r'{"\ud83d": 1}', "application/json", 400, "parse_error"),
        (r'"\uDE00"', "application/json", 400, "parse_error"),
        (r'{"reason_code": "\uDE00"}', "application/json", 400, "invalid_request"),
        (r'{"\ud83d\uDE00": 1}', "application/json", 400, "invalid_request"),
        ("[" * 100_000, "application/json", 400, "parse_error"),
        ('{"a": ' * 102 + "1" + "}" * 102, "application/json", 400, "parse_error"),
        ('{"a": ' * 101 + "1" + "}" * 101, "application/json", 400, "invalid_request"),
        ("1" * 5_000, "application/json", 400, "parse_error"),
        (" " * (1024 * 1024 + 1), "application/json", 413, "body_too_large"),
        ("[]", "application/json; charset=utf-8", 400, "invalid_request"),
        ("null", "application/json", 400, "invalid_request"),
    ],
)
def test_body_that_is_none_is_refused(api: Client, body: str, content_type: str, status: int, code: str) -> None:
    answer = api.generic("POST", CREDITS, body, content_type=content_type, headers={"Idempotency-Key": "one"})

    check_problem(answer, status=status, code=code)


def test_form_of_a_page_with_its_token_is_refused_as_well(agent: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(agent)
    browser.cookies["csrftoken"] = "x" * 32

    answer = browser.post(CREDITS, {"csrfmiddlewaretoken": "x" * 32})

    check_problem(answer, status=415, code="unsupported_media_type")


def test_what_nobody_foresaw_is_told_without_details(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("The secret reason.")

    monkeypatch.setattr("billing.api.staff_entries.newest_entries", fail)
    api.raise_request_exception = False

    answer = api.get(ENTRIES)

    check_problem(answer, status=500, code="internal_error")
    assert b"secret" not in answer.content
    api.raise_request_exception = True
    with pytest.raises(RuntimeError):
        api.get(ENTRIES)


def test_lock_that_is_not_to_be_had_is_503(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait_too_long(**_: Any) -> None:
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr("billing.api.staff_entries.newest_entries", wait_too_long)

    answer = api.get(ENTRIES)

    check_problem(answer, status=503, code="database_unavailable")
    assert answer["Retry-After"] == "1"
    assert b"lock timeout" not in answer.content


def test_answers_are_kept_by_no_cache_and_are_json_whatever_is_asked_for(api: Client) -> None:
    answer = api.get(ENTRIES, headers={"Accept": "text/html"})

    assert answer["Content-Type"] == "application/json"
    assert "no-store" in answer["Cache-Control"]


def test_the_last_address_takes_nobody_in() -> None:
    assert NoSuchAddress.authentication_classes == []
