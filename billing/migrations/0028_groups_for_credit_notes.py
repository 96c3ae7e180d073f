"""What the groups of staff may see of credit notes.

Only a group that still has every right that 0004_groups and 0006_groups_for_usage gave it gains these.
"""

from importlib import import_module

from django.apps import apps as installed_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

READING = ("billing.view_creditnote",)
GROUPS = dict.fromkeys(("Support", "Finance", "Approver", "Auditor"), READING)
BEFORE = [import_module(f"billing.migrations.{name}").GROUPS for name in ("0004_groups", "0006_groups_for_usage")]


def extend_groups(apps, schema_editor):
    """Give the groups that are ours what they lack."""
    using = schema_editor.connection.alias
    create_permissions(installed_apps.get_app_config("billing"), apps=apps, using=using, verbosity=0)
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    known = {
        f"{label}.{codename}": pk
        for pk, label, codename in Permission.objects.using(using).values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    for name, permissions in GROUPS.items():
        group = Group.objects.using(using).filter(name=name).first()
        if group is None:
            continue
        held = set(group.permissions.values_list("pk", flat=True))
        if held >= {known[permission] for before in BEFORE for permission in before[name]}:
            group.permissions.add(*[known[permission] for permission in permissions])


class Migration(migrations.Migration):
    dependencies = [("billing", "0027_credit_notes"), ("usage", "0001_initial")]

    operations = [migrations.RunPython(extend_groups, migrations.RunPython.noop)]
