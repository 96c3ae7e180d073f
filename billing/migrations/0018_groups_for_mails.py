"""What the groups of staff may do with notices and mails."""

from django.db import migrations

from billing.migrations._group_rights import make_extend_groups

READING = ("billing.view_notice", "billing.view_outgoingmail")
GROUPS = {
    "Support": (*READING, "billing.resend_mail"),
    "Finance": (*READING, "billing.resend_mail"),
    "Approver": READING,
    "Auditor": READING,
}
extend_groups = make_extend_groups(GROUPS, before=["0004_groups", "0006_groups_for_usage"])


class Migration(migrations.Migration):
    dependencies = [("billing", "0017_alerts"), ("usage", "0001_initial")]

    operations = [migrations.RunPython(extend_groups, migrations.RunPython.noop)]
