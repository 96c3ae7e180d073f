"""What the groups of staff may do with API keys, prices and usage."""

from django.db import migrations

from billing.migrations._group_rights import make_extend_groups

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
extend_groups = make_extend_groups(GROUPS, before=["0004_groups"], labels=["accounts", "billing", "usage"])


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
