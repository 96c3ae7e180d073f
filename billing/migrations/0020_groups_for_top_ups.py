"""What the groups of staff may see of automatic top-ups."""

from django.db import migrations

from billing.migrations._group_rights import make_extend_groups

READING = ("billing.view_autotopup", "billing.view_topupconsent")
GROUPS = dict.fromkeys(("Support", "Finance", "Approver", "Auditor"), READING)
extend_groups = make_extend_groups(GROUPS, before=["0004_groups", "0006_groups_for_usage"])


class Migration(migrations.Migration):
    dependencies = [("billing", "0019_portal_configuration"), ("usage", "0001_initial")]

    operations = [migrations.RunPython(extend_groups, migrations.RunPython.noop)]
