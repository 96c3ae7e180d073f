from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.apps import apps
from django.contrib import admin as django_admin
from django.contrib.admin.options import ModelAdmin
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.http import HttpRequest
from django.test import Client

from accounts.audited import AuditedAdmin, record_act
from accounts.models import User
from billing.models import AuditEntry, CreditPack, CustomerNote
from billing.services.audit import record_audit
from billing.services.flags import raise_flag
from billing.tests.admin.conftest import World
from billing.tests.admin.test_packs import form_of
from billing.tests.shop import make_customer, make_pack

pytestmark = pytest.mark.django_db
REGISTRY = sorted(django_admin.site._registry.items(), key=lambda pair: pair[0]._meta.label)


def latest(action: str) -> AuditEntry:
    return AuditEntry.objects.filter(action=action).latest("pk")


@pytest.mark.parametrize("model_admin", [each for _, each in REGISTRY], ids=lambda each: each.model._meta.label)
def test_what_a_form_may_change_is_audited(model_admin: ModelAdmin[Any], staff: User) -> None:
    request = HttpRequest()
    request.user = staff
    rights = (
        model_admin.has_add_permission(request),
        model_admin.has_change_permission(request),
        model_admin.has_delete_permission(request),
    )

    assert not any(rights) or isinstance(model_admin, AuditedAdmin)
    for inline in model_admin.get_inline_instances(request):  # rows beneath a page are saved past the page's own
        assert not inline.has_change_permission(request)
        assert not inline.has_add_permission(request, None)
        assert not inline.has_delete_permission(request)


def test_a_changed_pack_is_written_down_with_both_sides(admin: Client, staff: User) -> None:
    pack = make_pack()

    admin.post(
        f"/admin/billing/creditpack/{pack.pk}/change/", form_of(pack, price_minor=1200), REMOTE_ADDR="203.0.113.77"
    )

    entry = latest("creditpack.change")
    assert (entry.before, entry.after) == ({"price_minor": 1000}, {"price_minor": 1200})
    assert (entry.actor, entry.address) == (staff, "203.0.113.77")
    assert (entry.target_type, entry.target_id) == ("billing.creditpack", str(pack.pk))


def test_a_form_that_changes_nothing_is_no_act(admin: Client) -> None:
    pack = make_pack()

    admin.post(f"/admin/billing/creditpack/{pack.pk}/change/", form_of(pack))

    assert not AuditEntry.objects.filter(action="creditpack.change").exists()


def test_packs_added_and_deleted_are_written_down(admin: Client) -> None:
    pack = make_pack(slug="model")
    admin.post("/admin/billing/creditpack/add/", form_of(pack, slug="another", name="Another"))
    another = CreditPack.objects.get(slug="another")

    assert latest("creditpack.add").after["name"] == "Another"
    admin.post(f"/admin/billing/creditpack/{another.pk}/delete/", {"post": "yes"})
    assert latest("creditpack.delete").before["name"] == "Another"
    chosen = {"action": "delete_selected", "_selected_action": [pack.pk], "post": "yes"}
    admin.post("/admin/billing/creditpack/", chosen)
    assert latest("creditpack.delete").before["slug"] == "model"


def test_what_is_edited_in_the_list_is_written_down(admin: Client) -> None:
    pack = make_pack()
    form = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": pack.pk, "form-0-position": "7"}

    admin.post("/admin/billing/creditpack/", {**form, "_save": "Save"})

    entry = latest("creditpack.change")
    assert (entry.before, entry.after) == (
        {"is_active": True, "position": 0},
        {"is_active": False, "position": 7},
    )


def test_joining_a_group_is_written_down(admin: Client) -> None:
    person = User.objects.create_user("clerk@example.com", is_staff=True)
    addresses = {"emailaddress_set-TOTAL_FORMS": "0", "emailaddress_set-INITIAL_FORMS": "0"}
    form = {"email": person.email, "is_active": "on", "is_staff": "on", **addresses}

    admin.post(
        f"/admin/accounts/user/{person.pk}/change/",
        {**form, "groups": [Group.objects.get(name="Support").pk, Group.objects.get(name="Auditor").pk]},
    )

    entry = latest("user.change")
    assert (entry.before, entry.after) == ({"groups": []}, {"groups": ["Auditor", "Support"]})


def test_the_rights_of_a_group_are_written_down(admin: Client) -> None:
    group = Group.objects.create(name="Clerks")
    right = Permission.objects.get(codename="view_payment")

    admin.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Clerks", "permissions": [right.pk]})

    assert latest("group.change").after == {"permissions": [str(right)]}


def test_passwords_are_hidden(admin: Client) -> None:
    passwords = {"password1": "plaintext-4711", "password2": "plaintext-4711"}
    admin.post("/admin/accounts/user/add/", {"email": "new@example.com", "usable_password": "true", **passwords})
    person = User.objects.get(email="new@example.com")
    assert latest("user.add").after["password"] == "(hidden, changed)"

    changed = {"password1": "plaintext-4712", "password2": "plaintext-4712", "set-password": "1"}
    admin.post(f"/admin/accounts/user/{person.pk}/password/", {"usable_password": "true", **changed})

    entry = latest("user.change")
    assert (entry.before, entry.after) == ({"password": "(hidden)"}, {"password": "(hidden, changed)"})
    person.refresh_from_db()
    kept = json.dumps(list(AuditEntry.objects.values("before", "after")))
    assert "plaintext" not in kept
    assert person.password not in kept


def test_a_password_that_is_refused_is_no_act(admin: Client) -> None:
    person = User.objects.create_user("clerk@example.com", "first password 1")

    admin.post(f"/admin/accounts/user/{person.pk}/password/", {"password1": "x", "password2": "y"})

    assert not AuditEntry.objects.filter(action="user.change").exists()
    assert admin.post("/admin/accounts/user/none/password/", {}).status_code == 404


def test_a_removed_second_factor_is_written_down_without_its_secret(admin: Client) -> None:
    customer, secret = make_customer(), generate_totp_secret()
    assert customer.user is not None
    TOTP.activate(customer.user, secret)
    factor = Authenticator.objects.get()

    admin.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})

    entry = latest("authenticator.delete")
    assert entry.before["data"] == "(hidden)"
    assert secret not in json.dumps(entry.before)
    assert entry.customer == customer
    assert not Authenticator.objects.exists()


def test_verifying_an_address_is_written_down_and_needs_a_right(admin: Client) -> None:
    customer = make_customer(email="late@example.com")
    address = EmailAddress.objects.create(user=customer.user, email="late@example.com", primary=True)
    chosen = {"action": "make_verified", "_selected_action": [address.pk]}
    reader, client = User.objects.create_user("reader@example.com", is_staff=True), Client()
    reader.groups.add(Group.objects.get(name="Support"))
    client.force_login(reader)

    client.post("/admin/account/emailaddress/", chosen)
    address.refresh_from_db()
    assert not address.verified

    admin.post("/admin/account/emailaddress/", chosen)
    address.refresh_from_db()
    assert address.verified
    entry = latest("emailaddress.verify")
    assert (entry.before, entry.after, entry.customer) == ({"verified": False}, {"verified": True}, customer)


def test_logins_of_staff_are_written_down_and_only_theirs(staff: User) -> None:
    Client().force_login(User.objects.create_user("owner@example.com"))
    assert not AuditEntry.objects.exists()

    Client().force_login(staff)

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.target_label) == ("staff.login", staff, staff.email)


@pytest.mark.parametrize("page", ["freeze", "unfreeze", "clear-flag"])
def test_freezing_and_lifting_are_written_down(admin: Client, world: World, staff: User, page: str) -> None:
    if page != "freeze":
        with transaction.atomic():
            raise_flag(customer_id=world.customer.pk, cause="dispute:dp_1", reason="Disputed", freezes=True)

    admin.post(f"/admin/billing/billingcustomer/{world.customer.pk}/{page}/", {"reason": "The bank called"})

    entry = AuditEntry.objects.exclude(action="staff.login").get()
    raised = {"flags": ["staff"], "frozen": True} if page == "freeze" else {"flags": ["dispute:dp_1"], "frozen": True}
    nothing = {"flags": [], "frozen": False}
    assert (entry.before, entry.after) == ((nothing, raised) if page == "freeze" else (raised, nothing))
    assert (entry.actor, entry.reason, entry.customer) == (staff, "The bank called", world.customer)


def test_an_act_that_cannot_be_written_down_is_not_done(
    admin: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError("The log is full.")

    monkeypatch.setattr("billing.admin.acts.record_audit", refuse)
    pack, page = make_pack(), f"/admin/billing/billingcustomer/{world.customer.pk}"
    admin.raise_request_exception = False

    assert admin.post(f"{page}/freeze/", {"reason": "Stolen"}).status_code == 500
    assert admin.post(f"{page}/add-note/", {"text": "A note"}).status_code == 500
    assert admin.post(f"/admin/billing/creditpack/{pack.pk}/delete/", {"post": "yes"}).status_code == 500
    assert admin.post(f"/admin/billing/creditpack/{pack.pk}/change/", form_of(pack, price_minor=9)).status_code == 500

    world.customer.balance.refresh_from_db()
    assert world.customer.balance.frozen_at is None
    assert not CustomerNote.objects.exists()
    assert CreditPack.objects.get(pk=pack.pk).price_minor == 1000


def test_outside_a_database_transaction_nothing_is_recorded(transactional_db: None) -> None:
    request = HttpRequest()
    request.user = User.objects.create_user("clerk@example.com")

    with pytest.raises(RuntimeError, match="database transaction"):
        record_act(request=request, action="customer.freeze")


def test_the_log_cannot_be_changed_by_any_client(world: World) -> None:
    with transaction.atomic():
        record_audit(actor=None, action="customer.freeze", target=world.customer)

    for statement in ("UPDATE billing_auditentry SET reason = 'x'", "DELETE FROM billing_auditentry"):
        with pytest.raises(ProgrammingError, match="Cannot"), transaction.atomic():
            connection.cursor().execute(statement)


def test_the_page_shows_both_sides_escaped(admin: Client, world: World) -> None:
    with transaction.atomic():
        request = HttpRequest()
        record_act(
            request=request,
            action="creditpack.change",
            target=world.pack,
            before={"name": "<b>old</b>"},
            after={"name": "new", "groups": ["Support", "Finance"]},
            actor=User.objects.get(email="staff@example.com"),
        )
    entry = latest("creditpack.change")

    page = admin.get(f"/admin/billing/auditentry/{entry.pk}/change/").content.decode()

    assert "&lt;b&gt;old&lt;/b&gt;" in page
    assert "Support, Finance" in page


@pytest.mark.parametrize(
    "query",
    [
        {"q": "ada@example.com"},
        {"q": "cus_ada"},
        {"q": "staff@example.com"},
        {"actor": "staff"},
        {"action": "customer.freeze"},
        {"target_type": "billing.billingcustomer"},
    ],
)
def test_the_log_is_found_by_customer_actor_and_target(
    admin: Client, world: World, staff: User, query: dict[str, str]
) -> None:
    admin.post(f"/admin/billing/billingcustomer/{world.customer.pk}/freeze/", {"reason": "Stolen"})
    with transaction.atomic():
        record_audit(actor=None, action="other.act", target=world.pack, customer=world.other)
    asked = {"actor": str(staff.pk)} if "actor" in query else query

    found = admin.get("/admin/billing/auditentry/", asked).context["cl"].result_list

    assert "customer.freeze" in {entry.action for entry in found}
    assert "other.act" not in {entry.action for entry in found}


def test_the_log_is_filtered_by_the_system_and_by_nonsense(admin: Client, world: World) -> None:
    with transaction.atomic():
        record_audit(actor=None, action="other.act", target=world.other, customer=world.other)

    of_system = admin.get("/admin/billing/auditentry/", {"actor": "system"}).context["cl"].result_list
    assert [entry.action for entry in of_system] == ["other.act"]
    assert admin.get("/admin/billing/auditentry/", {"actor": "x"}).status_code == 200


def test_a_pack_has_a_history_that_names_who_changed_what(admin: Client, staff: User) -> None:
    pack = make_pack()
    admin.post(f"/admin/billing/creditpack/{pack.pk}/change/", form_of(pack, price_minor=1200))

    page = admin.get(f"/admin/billing/creditpack/{pack.pk}/history/").content.decode()

    assert staff.email in page
    assert "1200" in page.replace(",", "")
    version = pack.history.earliest()
    old = f"/admin/billing/creditpack/{pack.pk}/history/{version.pk}/"
    assert admin.get(old).status_code == 200
    assert admin.post(old, form_of(pack, price_minor=1)).status_code == 403  # nothing is reverted by a click
    assert CreditPack.objects.get(pk=pack.pk).price_minor == 1200


def test_groups_that_are_there_keep_their_rights() -> None:
    groups = import_module("billing.migrations.0004_groups")
    Group.objects.filter(name="Auditor").delete()
    Group.objects.get(name="Approver").permissions.clear()

    with connection.schema_editor(atomic=False) as editor:
        groups.make_groups(apps, editor)

    assert not Group.objects.get(name="Approver").permissions.exists()
    rights = Group.objects.get(name="Auditor").permissions.values_list("codename", flat=True)
    assert "view_auditentry" in rights
    assert {right for right in rights if not right.startswith("view_")} == {"export_rows"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time", [1, 2])
def test_groups_are_there_after_all_tables_were_emptied(time: int) -> None:
    assert Group.objects.get(name="Finance").permissions.filter(codename="request_refunds").exists()
