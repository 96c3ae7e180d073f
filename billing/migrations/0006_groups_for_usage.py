"""What the groups of staff may do with API keys, prices and usage.

Only a group that still has every right that 0004_groups gave it gains these: one that an operator has narrowed, or that
was there before under the same name, stays as it is.
"""

from importlib import import_module

from django.apps import apps as installed_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

APPS = ("accounts", "billing", "usage")
READING = (
    "accounts.view_apikey",
    "billing.view_operationprice",
    "billing.view_pricingconfig",
    "usage.view_commitsummary",
    "usage.view_correctedusage",
    "usage.view_usagecorrection",
    "usage.view_usageevent",
)
GROUPS = {
    # The pages of keys are read-only: what the right to change allows is to revoke one, at once, by whoever is told.
    "Support": (*READING, "accounts.change_apikey"),
    "Finance": (*READING, "accounts.change_apikey", "usage.correct_usage"),
    "Approver": READING,
    "Auditor": READING,
}
BEFORE = import_module("billing.migrations.0004_groups").GROUPS


def extend_groups(apps, schema_editor):
    """Give the groups that are ours what they lack."""
    using = schema_editor.connection.alias
    for label in APPS:
        create_permissions(installed_apps.get_app_config(label), apps=apps, using=using, verbosity=0)
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
        if held >= {known[permission] for permission in BEFORE[name]}:
            group.permissions.add(*[known[permission] for permission in permissions])


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0004_groups"),
        ("billing", "0005_prices_and_keys"),
        ("accounts", "0002_api_keys"),
        ("usage", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(extend_groups, migrations.RunPython.noop)]
