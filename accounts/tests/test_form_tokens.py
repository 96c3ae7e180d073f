"""A form that acts once does so also where it is sent twice at the same moment."""

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client

from accounts.form_tokens import new_form_token, take_form_token
from accounts.models import ApiKey, User

NEW = "/accounts/api-keys/new/"


@pytest.mark.django_db(transaction=True)
def test_double_click_makes_one_key() -> None:
    user = User.objects.create_user("ada@example.com", "correct horse battery")
    browser = Client()
    browser.force_login(user)
    browser.post("/accounts/reauthenticate/", {"password": "correct horse battery"})
    found = re.search(r'name="form_token" value="([^"]+)"', browser.get(NEW).content.decode())
    assert found is not None
    sent = {"name": "Server", "scopes": ["read"], "lifetime": "never", "form_token": found[1]}
    together = Barrier(4)

    def send(_: int) -> int:
        client = Client()
        client.cookies = browser.cookies
        together.wait(timeout=10)
        try:
            return client.post(NEW, sent).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(send, range(4)))

    assert statuses == [200, 302, 302, 302]
    assert ApiKey.objects.count() == 1


@pytest.mark.django_db
def test_tokens_of_open_pages_are_told_apart_and_the_oldest_is_forgotten(client: Client) -> None:
    user = User.objects.create_user("ada@example.com", "correct horse battery")
    session = client.session
    tokens = [new_form_token(session) for _ in range(11)]
    session.save()

    taken = [take_form_token(session=session, user=user, token=token) for token in (*tokens, tokens[5], "")]

    assert taken == [False, *[True] * 10, False, False]


@pytest.mark.django_db(transaction=True)
def test_token_is_taken_in_the_transaction_that_acts() -> None:
    session = Client().session
    user = User.objects.create_user("ada@example.com", "correct horse battery")

    with pytest.raises(RuntimeError, match="transaction"):
        take_form_token(session=session, user=user, token="x")
