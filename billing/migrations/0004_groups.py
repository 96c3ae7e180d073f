"""The groups of staff: who may look, who moves credits and money, who approves it.

Permissions are made after a migration (`post_migrate`), so on a fresh database there are none yet: they are made here,
for the models as they are at this point, by the function that makes them later, too. A receiver of `post_migrate`
would not need that, but it would bring back at every start what an operator has changed or removed on purpose.

A group of one of these names that is there already stays as it is: its members must not gain rights by an upgrade.
"""

from django.apps import apps as installed_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

APPS = ("accounts", "account", "auth", "mfa", "socialaccount", "usersessions", "billing")
READING = (
    "billing.view_adjustment",
    "billing.view_billingcustomer",
    "billing.view_creditbalance",
    "billing.view_creditgrant",
    "billing.view_credithold",
    "billing.view_creditpack",
    "billing.view_customerflag",
    "billing.view_customernote",
    "billing.view_disputemovement",
    "billing.view_fraudwarning",
    "billing.view_grantallocation",
    "billing.view_ledgerentry",
    "billing.view_moneymovement",
    "billing.view_payment",
    "billing.view_paymentdispute",
    "billing.view_paymentrefund",
    "billing.view_reconciliationfinding",
    "billing.view_reconciliationrun",
    "billing.view_refundrequest",
    "billing.view_signupbonus",
    "billing.view_stripeevent",
    "billing.view_uncoveredpart",
    "accounts.view_user",
    "account.view_emailaddress",
)
GROUPS = {
    "Support": (*READING, "billing.adjust_credits", "billing.add_customernote"),
    "Finance": (
        *READING,
        "billing.request_refunds",
        "billing.run_reconciliation",
        "billing.export_rows",
        "billing.view_books",
        "billing.freeze_customer",
        "billing.add_customernote",
        "billing.change_stripeevent",  # its pages are read-only: what it allows is the replay, a repair like the others
    ),
    "Approver": (*READING, "billing.approve_credits", "billing.approve_refunds"),
    "Auditor": (
        *READING,
        "billing.export_rows",
        "billing.view_books",
        "billing.view_auditentry",
        "auth.view_group",
        "mfa.view_authenticator",
        "socialaccount.view_socialaccount",
        "usersessions.view_usersession",
    ),
}


def make_groups(apps, schema_editor):
    """The groups that are missing, with their permissions."""
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
        group, is_new = Group.objects.using(using).get_or_create(name=name)
        if is_new:
            group.permissions.set([known[permission] for permission in permissions])


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0003_backfill_money_back"),
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
        ("usersessions", "0001_initial"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
