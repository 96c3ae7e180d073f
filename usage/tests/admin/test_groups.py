"""What the groups of staff may do with keys, prices and usage comes by a migration, to groups that are still ours."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection

pytestmark = pytest.mark.django_db


def extend_groups() -> None:
    with connection.schema_editor(atomic=False) as editor:
        import_module("billing.migrations.0006_groups_for_usage").extend_groups(apps, editor)


def rights_of(name: str) -> set[str]:
    return set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))


@pytest.mark.parametrize("name", ["Support", "Finance", "Approver", "Auditor"])
def test_every_group_looks_at_keys_prices_and_usage(name: str) -> None:
    assert {"view_apikey", "view_pricingconfig", "view_usageevent", "view_usagecorrection"} <= rights_of(name)
    assert ("correct_usage" in rights_of(name)) is (name == "Finance")
    assert "add_apikey" not in rights_of(name)


def test_a_group_that_was_narrowed_or_made_by_others_gains_nothing() -> None:
    narrowed, removed = Group.objects.get(name="Finance"), Group.objects.get(name="Support")
    narrowed.permissions.remove(
        *Permission.objects.filter(codename__in=["view_books", "correct_usage", "view_usageevent"])
    )
    removed.delete()
    Group.objects.create(name="Support")

    extend_groups()

    assert "correct_usage" not in rights_of("Finance")
    assert not rights_of("Support")
    assert not Group.objects.filter(name="Approver", permissions__codename="correct_usage").exists()


def test_extending_twice_changes_nothing() -> None:
    before = {group.name: rights_of(group.name) for group in Group.objects.all()}

    extend_groups()

    assert {group.name: rights_of(group.name) for group in Group.objects.all()} == before
