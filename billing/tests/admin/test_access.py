from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin as django_admin
from django.contrib.auth.models import AnonymousUser, Group
from django.db import connection, transaction
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import SimpleTemplateResponse
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing.models import AuditEntry, CreditPack
from billing.tests.admin.access_table import (
    ACTIONS,
    AUDITOR,
    MODELS,
    NOBODY,
    OWNER,
    PAGES,
    ROLES,
    Page,
    Pages,
)
from billing.tests.admin.conftest import World
from billing.tests.admin.rows import add_rows_of_everything

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
AT_THE_DOOR = {"login", "logout"}  # django-allauth's, for whoever comes
ATTEMPT = {
    "_save": "Save",
    "post": "yes",
    "confirm": "1",
    "reason": "Because",
    "note": "Because",
    "text": "A note",
    "cause": "payment:pay_x",
    "amount": "5",
    "direction": "credit",
    "reason_code": "goodwill",
    "form_id": "9a0c9e3e-3f0e-4b52-8a44-4b1c7c1a9f10",
    "email": "changed@example.com",
    "name": "Changed",
    "password1": "a new password 1",
    "password2": "a new password 1",
    "price_id": "price_1",
    "credits": "5",
    "code_count": "1",
    "uses_per_code": "1",
    "uses_per_customer": "1",
    "is_staff": "on",
    "is_superuser": "on",
}
AT_ONCE = 3
UNTOUCHED = {"django_session", "usersessions_usersession"}  # a login writes there


class Address(NamedTuple):
    """One address of the admin, and who may do what there."""

    name: str
    path: str
    page: Page


@pytest.fixture
def rows(world: World) -> dict[type[Model], Model]:
    """One row of each model that has pages."""
    add_rows_of_everything(world)
    chosen = {}
    for model in django_admin.site._registry:
        row = model._default_manager.order_by("pk").first()
        assert row is not None, f"There is no row of {model._meta.label} to try its pages with."
        chosen[model] = row
    return chosen | {CreditPack: world.pack, type(world.payment): world.payment, type(world.customer): world.customer}


def standard_pages(model: type[Model], row: Model, pages: Pages) -> Iterator[Address]:
    """The five pages that Django makes for each model."""
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    of_row = [row.pk]
    sends = pages.change if django_admin.site._registry[model].list_editable else pages.see
    for suffix, arguments, page in (
        ("changelist", [], Page(get=pages.see, post=sends)),
        ("add", [], Page(get=pages.add, post=pages.add)),
        ("change", of_row, Page(get=pages.see, post=pages.change)),
        ("history", of_row, Page(get=pages.see, post=pages.see)),
        ("delete", of_row, Page(get=pages.delete, post=pages.delete)),
    ):
        yield Address(f"{name}_{suffix}", reverse(f"admin:{name}_{suffix}", args=arguments), page)


def all_addresses(rows: dict[type[Model], Model]) -> list[Address]:
    pages = dict(PAGES)
    version = CreditPack.history.first()
    pages["billing_creditpack_simple_history"] = pages["billing_creditpack_simple_history"]._replace(
        arguments=lambda rows: [version.id, version.pk]
    )
    own = [Address(name, reverse(f"admin:{name}", args=page.arguments(rows)), page) for name, page in pages.items()]
    standard = [address for model in rows for address in standard_pages(model, rows[model], MODELS[model._meta.label])]
    return standard + own


def client_of(role: str) -> Client:
    """A member of staff of one group."""
    person = User.objects.create_user(f"{role.lower()}@staff.example.com", is_staff=True, is_superuser=role == OWNER)
    if role not in (NOBODY, OWNER):
        person.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(person)
    return client


def names_in(patterns: list[Any]) -> Iterator[str]:
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from names_in(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


def send(client: Client, method: str, path: str) -> int:
    """The status of one request whose effects are undone, those on the session too."""
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # services that insist on the outermost transaction
    with block:
        response = client.get(path) if method == "GET" else client.post(path, ATTEMPT)
        transaction.set_rollback(True)
    client.cookies[settings.SESSION_COOKIE_NAME] = session
    return response.status_code


def test_every_page_has_a_row_in_the_table(rows: dict[type[Model], Model]) -> None:
    tried = {address.name for address in all_addresses(rows)}

    assert set(names_in(django_admin.site.get_urls())) - AT_THE_DOOR == tried
    assert {model._meta.label for model in rows} == set(MODELS)


@pytest.mark.parametrize("role", ROLES)
def test_each_group_opens_and_sends_what_the_table_says(
    role: str, rows: dict[type[Model], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who is let in is decided before a template is filled, which takes most of the time; other tests look at pages.
    monkeypatch.setattr(SimpleTemplateResponse, "rendered_content", "")
    client = client_of(role)

    wrong = []
    for name, path, page in all_addresses(rows):
        for method, who in (("GET", page.get), ("POST", page.post)):
            status = send(client, method, path)
            is_open = status in (200, 302)
            if is_open is not (role in who) or (not is_open and status not in (403, 404, 405)):
                wrong.append(f"{method} {name} ({path}): {status}")

    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_each_group_is_offered_the_actions_that_the_table_says(role: str) -> None:
    request = HttpRequest()
    request.user = User.objects.get(pk=int(client_of(role).session["_auth_user_id"]))

    offered = {
        f"{model._meta.label}:{name}"
        for model, model_admin in django_admin.site._registry.items()
        for name in model_admin.get_actions(request)
    }

    assert offered == {name for name, who in ACTIONS.items() if role in who}


def test_who_is_not_staff_gets_nowhere(rows: dict[type[Model], Model]) -> None:
    customer, stranger = Client(), Client()
    customer.force_login(User.objects.create_user("owner@example.com"))

    for client in (customer, stranger):
        for _, path, _ in all_addresses(rows):
            for method in ("GET", "POST"):
                response = client.get(path) if method == "GET" else client.post(path, ATTEMPT)
                assert response.status_code in (302, 403, 404), path
                if response.status_code == 302:
                    assert "/login/" in response["Location"], path


def contents() -> dict[str, str]:
    """A digest of each table, its rows and their number."""
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed}
    digests = {}
    with connection.cursor() as cursor:
        for table in sorted(tables - UNTOUCHED):
            cursor.execute(f'SELECT count(*), string_agg(each::text, chr(10) ORDER BY each::text) FROM "{table}" each')  # noqa: S608
            digests[table] = hashlib.sha256(repr(cursor.fetchone()).encode()).hexdigest()
    return digests


def test_an_auditor_changes_nothing(rows: dict[type[Model], Model]) -> None:
    client, acts = client_of(AUDITOR), AuditEntry.objects.count()
    before = contents()

    for _, path, _ in all_addresses(rows):
        client.get(path)
        client.post(path, ATTEMPT)
    for model in rows:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        listed = model._default_manager.order_by("pk")[:AT_ONCE]
        chosen = {"_selected_action": [row.pk for row in listed], "index": "0"}
        for name in {
            "delete_selected",
            *(each.partition(":")[2] for each in ACTIONS if each.startswith(model._meta.label)),
        }:
            client.post(path, {**ATTEMPT, **chosen, "action": name})
        edited = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": listed[0].pk, "form-0-position": "9"}
        client.post(path, {"_save": "Save", **edited})

    after = contents()
    log = AuditEntry._meta.db_table
    assert {table for table in before if before[table] != after[table]} <= {log}
    written = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)[acts:])
    assert written  # what leaves the product is written down
    assert all(action.endswith(".export") for action in written)


def test_groups_of_the_table_are_those_of_the_migration() -> None:
    groups = set(Group.objects.values_list("name", flat=True))

    assert groups == set(ROLES) - {NOBODY, OWNER}
    assert not AnonymousUser().get_all_permissions()
