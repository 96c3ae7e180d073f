"""What the groups of staff may do with vouchers."""

from django.db import migrations

from billing.migrations._group_rights import make_extend_groups

READING = ("billing.view_voucherbatch", "billing.view_vouchercode", "billing.view_voucherredemption")
GROUPS = {
    "Support": (*READING, "billing.issue_vouchers"),  # who may give credits; the same limits hold
    "Finance": READING,
    "Approver": READING,
    "Auditor": READING,
}
extend_groups = make_extend_groups(GROUPS, before=["0004_groups", "0006_groups_for_usage"])


class Migration(migrations.Migration):
    dependencies = [("billing", "0012_vouchers"), ("usage", "0001_initial")]

    operations = [migrations.RunPython(extend_groups, migrations.RunPython.noop)]
