"""The pages of API keys: the secret is seen once, nobody sees another's keys, and each refusal says what to do."""

import logging
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.api_keys import MAX_LIVE_KEYS, find_key, issue_key, revoke_key, rotate_key
from accounts.models import ApiKey, User

pytestmark = pytest.mark.django_db
LIST, NEW = "/accounts/api-keys/", "/accounts/api-keys/new/"
SECRET = re.compile(r"ppk_test_[0-9a-z]{16}_[0-9A-Za-z]{43}")


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada@example.com", "correct horse battery")


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    client.force_login(user)
    prove(client)
    return client


def prove(client: Client) -> None:
    """Give the password that is asked for before a key is made."""
    client.post("/accounts/reauthenticate/", {"password": "correct horse battery"})


def token_of(browser: Client, path: str = NEW) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', browser.get(path).content.decode())
    assert found is not None
    return found[1]


def fields(browser: Client, **changes: object) -> dict[str, object]:
    terms = {"name": "Server", "scopes": ["read", "spend"], "lifetime": "90", "monthly_limit": ""}
    return {**terms, "form_token": token_of(browser), **changes}


def test_new_key_is_shown_once_and_works(browser: Client, user: User) -> None:
    answer = browser.post(NEW, fields(browser, monthly_limit="12.5"))

    (secret,) = set(SECRET.findall(answer.content.decode()))
    key = find_key(text=secret, now=timezone.now())
    assert key.user == user
    assert (key.name, key.scopes, key.monthly_limit) == ("Server", ["read", "spend"], Decimal("12.5"))
    assert key.expires_at is not None
    assert timedelta(days=89) < key.expires_at - timezone.now() <= timedelta(days=90)
    assert "no-store" in answer["Cache-Control"]
    assert not SECRET.search(browser.get(LIST).content.decode())


def test_secret_is_in_no_session(browser: Client) -> None:
    answer = browser.post(NEW, fields(browser))

    (secret,) = set(SECRET.findall(answer.content.decode()))
    kept = " ".join(str(session.get_decoded()) for session in Session.objects.all())
    assert secret.rpartition("_")[2] not in kept


def test_secret_is_in_no_log_and_no_table(browser: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = browser.post(NEW, fields(browser))

    (secret,) = set(SECRET.findall(answer.content.decode()))
    (key,) = ApiKey.objects.values()
    random_part = secret.rpartition("_")[2]
    assert random_part not in caplog.text
    assert random_part not in str(key)


def test_loading_the_answer_again_makes_no_second_key(browser: Client) -> None:
    sent = fields(browser)
    browser.post(NEW, sent)

    again = browser.post(NEW, sent, follow=True)

    assert ApiKey.objects.count() == 1
    assert "This form was sent already" in again.content.decode()
    assert not SECRET.search(again.content.decode())


def test_form_of_nobody_makes_no_key(browser: Client) -> None:
    browser.post(NEW, fields(browser, form_token="guessed"))
    browser.post(NEW, fields(browser, form_token=""))

    assert not ApiKey.objects.exists()


def test_new_key_asks_for_the_password_first(client: Client, user: User) -> None:
    client.force_login(user)

    asked = client.get(NEW)

    assert asked.status_code == 302
    assert asked["Location"] == f"/accounts/reauthenticate/?next={NEW.replace('/', '%2F')}"


def test_form_waits_while_the_password_is_asked_for(client: Client, user: User) -> None:
    client.force_login(user)
    prove(client)
    sent = fields(client)
    session = client.session
    session["account_authentication_methods"] = []
    session.save()

    client.post(NEW, sent)
    answer = client.post("/accounts/reauthenticate/", {"password": "correct horse battery", "next": NEW})

    assert SECRET.search(answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"name": "two\x07bells"}, "one line of plain text"),
        ({"scopes": []}, "Choose at least one right"),
        ({"scopes": ["customers"]}, "not one of the available choices"),
        ({"scopes": ["everything"]}, "not one of the available choices"),
        ({"lifetime": "9"}, "not one of the available choices"),
        ({"monthly_limit": "0"}, "The limit is above zero"),
        ({"monthly_limit": "-1"}, "The limit is above zero"),
        ({"monthly_limit": "NaN"}, "Enter a number"),
        ({"monthly_limit": "1.0000001"}, "no more than 6 decimal places"),
        ({"monthly_limit": "99999999999999"}, "less than or equal to 10000000000000"),
    ],
)
def test_key_that_cannot_be_made_is_refused_in_words(browser: Client, changes: dict[str, object], words: str) -> None:
    answer = browser.post(NEW, fields(browser, **changes))

    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_staff_make_keys_for_customers(browser: Client, user: User) -> None:
    user.is_staff = True
    user.save()

    browser.post(NEW, fields(browser, scopes=["customers", "spend"], lifetime="never"))

    key = ApiKey.objects.get()
    assert key.scopes == ["spend", "customers"]
    assert key.expires_at is None


def test_one_key_too_many_is_refused_and_the_form_can_be_sent_again(browser: Client, user: User) -> None:
    keys = [issue_key(user=user, name=f"Key {number}", scopes=["read"]).key for number in range(MAX_LIVE_KEYS)]

    refused = browser.post(NEW, fields(browser))
    page = refused.content.decode()
    revoke_key(key=keys[0], now=timezone.now())
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found is not None
    made = browser.post(NEW, {**fields(browser), "form_token": found[1]})

    assert refused.status_code == 400
    assert f"There are {MAX_LIVE_KEYS} live keys already. Revoke one" in page
    assert SECRET.search(made.content.decode())


def test_full_list_says_so_instead_of_offering_another(browser: Client, user: User) -> None:
    for number in range(MAX_LIVE_KEYS):
        issue_key(user=user, name=f"Key {number}", scopes=["read"])

    page = browser.get(LIST).content.decode()

    assert "cannot make another" in page
    assert NEW not in page


def test_rotation_shows_the_new_secret_and_keeps_the_old_key_for_a_day(browser: Client, user: User) -> None:
    old = issue_key(user=user, name="Server", scopes=["spend"])
    path = f"{LIST}{old.key.key_id}/rotate/"
    sent = {"form_token": token_of(browser, path)}

    answer = browser.post(path, sent).content.decode()
    again = browser.post(path, sent)

    (secret,) = set(SECRET.findall(answer))
    assert find_key(text=secret, now=timezone.now()).replaces == old.key
    assert "The old key goes on until" in answer
    assert find_key(text=old.text, now=timezone.now() + timedelta(hours=23))
    assert again["Location"] == LIST
    assert ApiKey.objects.count() == 2
    assert "Rotated, ends soon" in browser.get(LIST).content.decode()


def test_key_is_rotated_once(browser: Client, user: User) -> None:
    old = issue_key(user=user, name="Server", scopes=["spend"]).key
    token = token_of(browser, f"{LIST}{old.key_id}/rotate/")
    rotate_key(key=old, now=timezone.now(), actor=user)

    answer = browser.post(f"{LIST}{old.key_id}/rotate/", {"form_token": token}, follow=True)

    assert "was rotated already" in answer.content.decode()
    assert "ended or was rotated already" in browser.get(f"{LIST}{old.key_id}/rotate/").content.decode()


def test_key_is_revoked_by_its_typed_name_alone(browser: Client, user: User) -> None:
    key = issue_key(user=user, name="Old server", scopes=["spend"]).key
    path = f"{LIST}{key.key_id}/revoke/"

    empty = browser.post(path, {"confirmation": ""})
    wrong = browser.post(path, {"confirmation": "old server"})
    assert ApiKey.objects.filter(revoked_at=None).exists()
    right = browser.post(path, {"confirmation": " Old server "}, follow=True)

    key.refresh_from_db()
    assert key.revoked_at is not None
    assert (empty.status_code, wrong.status_code) == (400, 400)
    assert "nothing was revoked" in wrong.content.decode()
    assert "is revoked" in right.content.decode()
    assert "Keys that have ended" in right.content.decode()


def test_revoking_needs_no_password(client: Client, user: User) -> None:
    key = issue_key(user=user, name="Leaked", scopes=["spend"]).key
    client.force_login(user)

    client.post(f"{LIST}{key.key_id}/revoke/", {"confirmation": "Leaked"})

    key.refresh_from_db()
    assert key.revoked_at is not None


@pytest.mark.parametrize("act", ["rotate", "revoke"])
def test_keys_of_others_do_not_exist(browser: Client, act: str) -> None:
    other = User.objects.create_user("eve@example.com", "correct horse battery")
    key = issue_key(user=other, name="Theirs", scopes=["spend"]).key
    path = f"{LIST}{key.key_id}/{act}/"

    assert browser.get(path).status_code == 404
    assert browser.post(path, {"confirmation": "Theirs", "form_token": token_of(browser)}).status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None
    assert "Theirs" not in browser.get(LIST).content.decode()


def test_name_is_shown_as_text(browser: Client, user: User) -> None:
    issue_key(user=user, name="<b>bold</b>", scopes=["read"])

    assert "&lt;b&gt;bold&lt;/b&gt;" in browser.get(LIST).content.decode()


def test_strangers_are_sent_to_log_in(client: Client) -> None:
    assert client.get(LIST)["Location"].startswith("/accounts/login/?next=")
    assert client.get(NEW)["Location"].startswith("/accounts/login/?next=")
