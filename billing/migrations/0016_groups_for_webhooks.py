"""What the groups of staff may do with webhooks and alarms."""

from django.db import migrations

from billing.migrations._group_rights import make_extend_groups

READING = (
    "billing.view_staffalarm",
    "billing.view_webhookattempt",
    "billing.view_webhookdelivery",
    "billing.view_webhookendpoint",
)
GROUPS = {
    "Support": READING,
    # The pages are read-only: what the right to change allows is to send a message again.
    "Finance": (*READING, "billing.change_webhookdelivery"),
    "Approver": READING,
    "Auditor": READING,
}
extend_groups = make_extend_groups(GROUPS, before=["0004_groups", "0006_groups_for_usage"])


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0015_taxed_top_ups"),
        ("billing", "0015_trial_of_a_payment"),
        ("usage", "0001_initial"),
    ]

    operations = [migrations.RunPython(extend_groups, migrations.RunPython.noop)]
