"""Pages for what went wrong, and the same for programs."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from billing.tests.views.test_frame import check_frame

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}
REFERENCE = {"X-Request-Id": "a-name-for-support"}


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, client: Client) -> Client:
    """A client of a product whose first page is broken."""

    def fail() -> None:
        raise RuntimeError("A test breaks this page.")

    monkeypatch.setattr("billing.views.home.packs_for_sale", fail)
    client.raise_request_exception = False
    return client


@pytest.fixture
def support(client: Client) -> Client:
    """Somebody of staff who may look at customers alone."""
    person = User.objects.create_user("support@example.com", "correct horse battery", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename="view_billingcustomer"))
    client.force_login(person)
    return client


def test_what_failed_has_a_name_for_support(browser: Client, broken: Client) -> None:
    unreadable = browser.get("/billing/ledger/?since=%00", headers=REFERENCE)
    unforeseen = Client(raise_request_exception=False).get("/", headers=REFERENCE)

    assert unreadable.status_code == 400
    assert unforeseen.status_code == 500
    for answer in (unreadable, unforeseen):
        assert "<code>a-name-for-support</code>" in answer.content.decode()


def test_a_mistyped_address_is_no_case_for_support(client: Client) -> None:
    assert "a-name-for-support" not in client.get("/no-such-page/", headers=REFERENCE).content.decode()


def test_page_for_what_broke_is_framed_without_asking_the_database(
    broken: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        page = broken.get("/")

    assert "Card numbers never reach our servers" in page.content.decode()
    assert "no-store" in page["Cache-Control"]


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/no-such-page/", JSON, 404, "not_found"),
        ("/billing/ledger/?since=%00", JSON, 400, "bad_request"),
        ("/api/v1/balance", {"Host": "elsewhere.example"}, 400, "bad_request"),
        ("/v1/models", {"Host": "elsewhere.example", "Accept": "text/html"}, 400, "bad_request"),
    ],
)
def test_programs_get_a_problem_document(
    browser: Client, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    response = browser.get(path, headers=headers)

    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == code
    assert response.json()["detail"]


def test_program_that_meets_what_broke_gets_a_problem_document(broken: Client) -> None:
    response = broken.get("/", headers=JSON)

    assert response.status_code == 500
    assert response.json()["code"] == "internal_error"
    assert "A test breaks" not in response.content.decode()


def test_script_whose_form_had_expired_is_told_so(user: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)

    response = strict.post("/billing/settings/notices/", headers=JSON)

    assert response.status_code == 403
    assert response.json()["code"] == "csrf_failed"


def test_staff_who_may_not_see_a_page_are_led_back_to_the_console(support: Client) -> None:
    response = support.get("/admin/billing/payment/")

    page = response.content.decode()
    assert response.status_code == 403
    check_frame(page)
    assert re.search(r'href="/admin/">\s*Staff console', page)
    assert "Who gives rights in the staff console" in page


def test_refusal_says_once_that_nothing_was_charged(browser: Client, settings: Settings) -> None:
    settings.STRIPE_BILLING_ENABLED = False

    page = browser.get("/billing/buy/starter/").content.decode()

    assert len(re.findall("othing was charged", page)) == 1
    assert re.search(r"<title>\s*Nothing is sold at the moment", page)
