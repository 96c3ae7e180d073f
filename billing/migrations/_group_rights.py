"""How migrations give the groups of staff more rights. No migration itself: Django passes over names that begin so."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from django.apps import apps as installed_apps
from django.contrib.auth.management import create_permissions


def make_extend_groups(
    groups: Mapping[str, Sequence[str]], *, before: Sequence[str], labels: Sequence[str] = ("billing",)
) -> Callable[[Any, Any], None]:
    """A function for `RunPython` that adds these permissions (`app.codename`) to groups.

    Only a group that still has every right that the migrations named in `before` gave it gains them: one that an
    operator has narrowed, or that was there before under the same name, stays as it is. `labels` are the apps whose
    permissions may not be made yet.
    """

    def extend_groups(apps: Any, schema_editor: Any) -> None:
        using = schema_editor.connection.alias
        for label in labels:
            create_permissions(installed_apps.get_app_config(label), apps=apps, using=using, verbosity=0)
        Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
        known = {
            f"{label}.{codename}": pk
            for pk, label, codename in Permission.objects.using(using).values_list(
                "pk", "content_type__app_label", "codename"
            )
        }
        given = [import_module(f"billing.migrations.{name}").GROUPS for name in before]
        for name, permissions in groups.items():
            group = Group.objects.using(using).filter(name=name).first()
            if group is None:
                continue
            held = set(group.permissions.values_list("pk", flat=True))
            if held >= {known[permission] for rights in given for permission in rights[name]}:
                group.permissions.add(*[known[permission] for permission in permissions])

    return extend_groups
