from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return User.objects.create_superuser("staff@example.com", "a staff password")


def test_the_admin_sends_strangers_to_the_door_of_the_product(client: Client) -> None:
    for page in ("/admin/", "/admin/login/"):
        response = client.get(page, follow=True)

        assert response.redirect_chain[-1][0].startswith("/accounts/login/?next=")


def test_customers_do_not_get_into_the_admin(client: Client) -> None:
    client.force_login(User.objects.create_user("owner@example.com"))

    assert client.get("/admin/", follow=True).status_code == 403


def test_where_it_is_asked_for_staff_set_up_a_second_factor_first(client: Client, staff: User, settings: Any) -> None:
    settings.STAFF_NEEDS_SECOND_FACTOR = True
    client.force_login(staff)

    for page in ("/admin/", "/admin/accounts/user/"):
        response = client.get(page)

        assert (response.status_code, response["Location"]) == (302, "/accounts/2fa/")
    assert client.post("/admin/accounts/user/add/", {"email": "x@example.com"}).status_code == 302
    assert not User.objects.filter(email="x@example.com").exists()


def test_staff_with_a_second_factor_see_the_admin(client: Client, staff: User, settings: Any) -> None:
    settings.STAFF_NEEDS_SECOND_FACTOR = True
    TOTP.activate(staff, generate_totp_secret())
    client.force_login(staff)

    assert client.get("/admin/").status_code == 200


def test_staff_change_their_password_where_everyone_does(client: Client, staff: User) -> None:
    client.force_login(staff)

    assert client.get("/admin/password_change/")["Location"] == "/accounts/password/change/"


def test_elsewhere_staff_need_none(client: Client, staff: User) -> None:
    client.force_login(staff)

    assert client.get("/admin/").status_code == 200


def test_production_asks_for_it() -> None:
    assert import_module("config.settings.production").STAFF_NEEDS_SECOND_FACTOR is True


def test_the_secret_of_a_second_factor_is_not_shown(client: Client, staff: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(staff, secret)
    client.force_login(staff)

    page = client.get(f"/admin/mfa/authenticator/{Authenticator.objects.get().pk}/change/")

    assert page.status_code == 200
    assert secret not in page.content.decode()
    assert Authenticator.objects.get().data["secret"] not in page.content.decode()


def test_who_may_edit_users_cannot_make_staff_of_them(client: Client) -> None:
    clerk = User.objects.create_user("clerk@example.com", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
    boss = User.objects.create_superuser("boss@example.com", "a boss's password")
    owner = User.objects.create_user("owner@example.com")
    client.force_login(clerk)

    promotion = {"email": "owner@example.com", "is_superuser": "on", "is_staff": "on"}
    client.post(f"/admin/accounts/user/{owner.pk}/change/", promotion)
    passwords = {"password1": "taken over 1", "password2": "taken over 1"}
    refused = client.post(f"/admin/accounts/user/{boss.pk}/password/", passwords)

    owner.refresh_from_db()
    assert not owner.is_staff
    assert not owner.is_superuser
    assert refused.status_code == 403
