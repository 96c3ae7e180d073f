from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import get_hasher
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client, override_settings
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def sign_up(client: Client, *, email: str = "ada@example.com", password: str = PASSWORD) -> Any:
    return client.post("/accounts/signup/", {"email": email, "password1": password})


def link_in(message: mail.EmailMessage) -> str:
    found = re.search(r"http://[^/\s]+(/accounts/\S+)", str(message.body))
    assert found is not None, message.body
    return found[1]


def log_in(client: Client, *, email: str = "ada@example.com", password: str = PASSWORD) -> Any:
    return client.post("/accounts/login/", {"login": email, "password": password})


def is_logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_sign_up_waits_for_the_link_in_the_mail(client: Client) -> None:
    response = sign_up(client)

    assert response.status_code == 302
    assert response["Location"] == "/accounts/confirm-email/"
    assert not is_logged_in(client)
    assert len(mail.outbox) == 1
    assert log_in(client)["Location"] == "/accounts/confirm-email/"


def test_the_link_works_in_another_browser_and_does_not_log_that_one_in(client: Client) -> None:
    sign_up(client)
    other = Client()

    other.post(link_in(mail.outbox[0]))

    assert EmailAddress.objects.get(email="ada@example.com").verified
    assert not is_logged_in(other)
    log_in(other)
    assert is_logged_in(other)


def test_the_link_logs_in_the_browser_that_signed_up(client: Client) -> None:
    sign_up(client)

    client.post(link_in(mail.outbox[0]))

    assert is_logged_in(client)


def test_opening_the_link_verifies_nothing_before_the_button(client: Client) -> None:
    sign_up(client)

    client.get(link_in(mail.outbox[0]))

    assert not EmailAddress.objects.get().verified


@pytest.mark.parametrize("password", ["short7!", "password123", "ada@example.com"])
def test_weak_passwords_are_refused(client: Client, password: str) -> None:
    response = sign_up(client, password=password)

    assert response.status_code == 200
    assert not User.objects.exists()


def test_a_second_sign_up_of_an_address_looks_like_the_first(client: Client) -> None:
    first = sign_up(client)
    second = sign_up(Client(), email="ADA@example.com")

    assert (second.status_code, second["Location"]) == (first.status_code, first["Location"])
    assert User.objects.count() == 1


def test_a_reset_answers_alike_for_known_and_unknown_addresses(client: Client) -> None:
    sign_up(client)
    client.post(link_in(mail.outbox[0]))
    mail.outbox.clear()

    known = Client().post("/accounts/password/reset/", {"email": "ada@example.com"})
    unknown = Client().post("/accounts/password/reset/", {"email": "nobody@example.com"})

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert [message.to for message in mail.outbox] == [["ada@example.com"], ["nobody@example.com"]]
    assert "/password/reset/key/" in str(mail.outbox[0].body)
    assert "/password/reset/key/" not in str(mail.outbox[1].body)


def test_a_changed_password_is_told_by_mail(
    client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    sign_up(client)
    client.post(link_in(mail.outbox[0]))
    mail.outbox.clear()

    with django_capture_on_commit_callbacks(execute=True):
        client.post(
            "/accounts/password/change/",
            {"oldpassword": PASSWORD, "password1": "another fine secret", "password2": "another fine secret"},
        )

    assert User.objects.get().check_password("another fine secret")
    assert [message.to for message in mail.outbox] == [["ada@example.com"]]


@pytest.mark.django_db(transaction=True)
def test_a_changed_address_is_told_by_mail_after_the_commit(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_up(client)
    client.post(link_in(mail.outbox[0]))
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/email/", {"action_add": "", "email": "ada@example.org"})
    sent_in_transaction = []
    send = mail.EmailMessage.send

    def watched_send(message: mail.EmailMessage, **kwargs: Any) -> int:
        sent_in_transaction.append(connection.in_atomic_block)
        return send(message, **kwargs)

    monkeypatch.setattr(mail.EmailMessage, "send", watched_send)
    client.post(link_in(mail.outbox[-1]))

    assert User.objects.get().email == "ada@example.org"
    assert mail.outbox[-1].to == ["ada@example.com"]
    assert sent_in_transaction == [False]


def test_guessing_a_password_is_limited(client: Client) -> None:
    sign_up(client)
    client.post(link_in(mail.outbox[0]))
    client.logout()

    for _ in range(6):
        log_in(client, password="wrong guess")

    assert not is_logged_in(client)
    log_in(client)
    assert not is_logged_in(client)
    cache.clear()
    log_in(client)
    assert is_logged_in(client)


def test_sign_up_and_login_work_without_redis(client: Client) -> None:
    with override_settings(CACHES={"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}):
        sign_up(client)
        client.post(link_in(mail.outbox[0]))

        assert is_logged_in(client)


def test_passwords_are_kept_as_argon2id() -> None:
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"]):
        assert get_hasher().encode(PASSWORD, "salt-and-more-salt").startswith("argon2$argon2id$")


def test_google_login_does_not_exist_without_a_client_id(client: Client) -> None:
    assert client.get("/accounts/google/login/").status_code == 404
