"""API keys in the admin: found by their beginning, revoked with a reason, made once, and no secret kept anywhere."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.api_keys import KeyRefused, NewKey, find_key, issue_key
from accounts.models import ApiKey, User
from billing.models import AuditEntry

pytestmark = pytest.mark.django_db
LIST, MAKE = "/admin/accounts/apikey/", "/admin/accounts/apikey/make/"


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def make_clerk(*rights: str) -> User:
    clerk = User.objects.create_user("clerk@example.com", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_apikey", *rights]))
    return clerk


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_superuser("owner@example.com")


@pytest.fixture
def admin(owner: User) -> Client:
    return client_of(owner)


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada@example.com")


@pytest.fixture
def key(ada: User) -> NewKey:
    issue_key(user=User.objects.create_user("bob@example.com"), name="Other", scopes=["read"])
    return issue_key(user=ada, name="Robot", scopes=["read", "spend"])


def listed(client: Client, **query: str) -> list[Any]:
    answer = client.get(LIST, query, follow=True)
    return list(answer.context["cl"].result_list)


def fill_in(client: Client, **changes: Any) -> dict[str, Any]:
    """The form as it is shown, filled in."""
    form = client.get(MAKE).context["form"]
    fields = {
        "email": "ada@example.com",
        "name": "Integration",
        "scopes": ["spend", "customers"],
        "monthly_limit": "5000",
        "expires_at_0": "2027-11-20",
        "expires_at_1": "12:00",
        "reason": "Contract 4711",
        "token": form.initial["token"],
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def test_a_key_is_found_by_its_beginning_its_owner_and_its_name(admin: Client, key: NewKey) -> None:
    shown = f"{key.key.prefix}_{key.key.key_id}"

    for term in (shown, f"{shown}…", shown[:-6], key.key.key_id, "ada@example.com", "robot"):
        assert listed(admin, q=term) == [key.key], term
    assert listed(admin, q="ppk_test_00000000") == []


def test_a_whole_key_finds_it_and_its_secret_is_cut_off(admin: Client, key: NewKey) -> None:
    answer = admin.get(LIST, {"q": key.text, "o": "1"})

    secret = key.text.rsplit("_", 1)[1]
    assert answer.status_code == 302
    assert secret not in answer["Location"]
    assert "o=1" in answer["Location"]
    page = admin.get(answer["Location"])
    assert list(page.context["cl"].result_list) == [key.key]
    assert secret not in page.content.decode()


def test_a_key_is_revoked_at_once_with_a_reason(admin: Client, owner: User, key: NewKey) -> None:
    page = f"{LIST}{key.key.pk}/revoke/"

    assert admin.post(page, {"reason": ""}).status_code == 200
    assert find_key(text=key.text, now=timezone.now()) == key.key
    answer = admin.post(page, {"reason": "Found in a public repository"}, follow=True)

    assert "The key is revoked." in answer.content.decode()
    with pytest.raises(KeyRefused, match="revoked"):
        find_key(text=key.text, now=timezone.now())
    act = AuditEntry.objects.exclude(action="staff.login").get()
    assert (act.action, act.actor, act.reason) == ("apikey.revoke", owner, "Found in a public repository")
    assert (act.before["revoked_at"], act.target_id) == (None, str(key.key.pk))


def test_revoking_again_keeps_the_first_time(admin: Client, key: NewKey) -> None:
    page = f"{LIST}{key.key.pk}/revoke/"
    admin.post(page, {"reason": "First"})
    first = ApiKey.objects.get(pk=key.key.pk).revoked_at

    answer = admin.post(page, {"reason": "Second"}, follow=True)

    assert "nothing has changed" in answer.content.decode()
    assert ApiKey.objects.get(pk=key.key.pk).revoked_at == first
    assert AuditEntry.objects.filter(action="apikey.revoke").count() == 1
    assert "/revoke" not in admin.get(f"{LIST}{key.key.pk}/change/").content.decode()


def test_a_key_for_a_user_is_shown_once(admin: Client, owner: User, ada: User) -> None:
    form = fill_in(admin)

    answer = admin.post(MAKE, form)

    (text,) = set(re.findall(r"ppk_test_[0-9a-z]{16}_[0-9A-Za-z]{43}", answer.content.decode()))
    assert "no-store" in answer["Cache-Control"]
    made = find_key(text=text, now=timezone.now())
    assert (made.user, made.created_by, made.scopes) == (ada, owner, ["spend", "customers"])
    assert (made.monthly_limit, made.name) == (5000, "Integration")
    again = admin.post(MAKE, form, follow=True)
    assert "Nothing was made now" in again.content.decode()
    assert ApiKey.objects.count() == 1
    assert not _tables_with(text.rsplit("_", 1)[1])
    act = AuditEntry.objects.exclude(action="staff.login").get()
    assert (act.action, act.reason, act.after["user"]) == ("apikey.add", "Contract 4711", "ada@example.com")
    assert act.after["scopes"] == ["spend", "customers"]


def _tables_with(text: str) -> list[str]:
    """The tables in which any row holds the text."""
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            cursor.execute(f'SELECT 1 FROM "{table}" each WHERE each::text LIKE %s LIMIT 1', [f"%{text}%"])  # noqa: S608
            if cursor.fetchone():
                found.append(table)
    return found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"email": "nobody@example.com"}, "Nobody active has this address"),
        ({"scopes": None}, "This field is required"),
        ({"scopes": ["everything"]}, "everything"),
        ({"monthly_limit": "-1"}, "greater than or equal to"),
        ({"monthly_limit": "NaN"}, "Enter a number"),
        ({"expires_at_0": "2020-01-01"}, "ended already"),
        ({"reason": ""}, "This field is required"),
    ],
)
def test_a_wrong_form_makes_no_key(admin: Client, ada: User, changes: dict[str, Any], told: str) -> None:
    answer = admin.post(MAKE, fill_in(admin, **changes))

    assert told in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_nobody_makes_a_key_with_a_colleagues_rights(owner: User) -> None:
    client = client_of(make_clerk("add_apikey"))

    answer = client.post(MAKE, fill_in(client, email="owner@example.com"))
    own = client.post(MAKE, fill_in(client, email="clerk@example.com"))

    assert "would have their rights" in answer.content.decode()
    assert "The key is made" in own.content.decode()
    assert ApiKey.objects.get().user is not None


def test_a_user_with_too_many_keys_gets_none(admin: Client, ada: User) -> None:
    for number in range(20):
        issue_key(user=ada, name=f"Key {number}", scopes=["read"])

    assert "Revoke one" in admin.post(MAKE, fill_in(admin)).content.decode()


def test_who_may_only_look_neither_makes_nor_revokes(key: NewKey) -> None:
    client = client_of(make_clerk())

    assert client.get(f"{LIST}{key.key.pk}/change/").status_code == 200
    for page in (MAKE, f"{LIST}{key.key.pk}/revoke/"):
        assert client.get(page).status_code == 403
        assert client.post(page, {"reason": "No"}).status_code == 403
    assert client.post(f"{LIST}{key.key.pk}/change/", {"name": "Mine"}).status_code == 403
    assert client.post(f"{LIST}{key.key.pk}/delete/", {"post": "yes"}).status_code == 403


def test_states_are_told_apart(admin: Client, ada: User) -> None:
    ended = issue_key(user=ada, name="Ended", scopes=["read"]).key
    ApiKey.objects.filter(pk=ended.pk).update(expires_at=timezone.now() - timedelta(days=1))
    issue_key(user=ada, name="Live", scopes=["read"])

    page = admin.get(LIST).content.decode()

    assert "Ended" in page
    assert "Live" in page
    assert "secret" not in admin.get(f"{LIST}{ended.pk}/change/").content.decode().lower().replace("csrf", "")
