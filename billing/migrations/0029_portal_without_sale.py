"""Two kinds of portals: those known so far sell; the other kind is set up by `sync_stripe_catalog`."""

from django.db import migrations, models


def forget_those_that_do_not_sell(apps, schema_editor):
    """Code from before this takes the newest configuration for the one that sells."""
    apps.get_model("billing", "PortalConfiguration").objects.using(schema_editor.connection.alias).filter(
        sells=False
    ).delete()


class Migration(migrations.Migration):
    dependencies = [("billing", "0028_groups_for_credit_notes")]

    operations = [
        migrations.AddField(
            model_name="portalconfiguration",
            name="sells",
            field=models.BooleanField(
                default=True, help_text="Whether plans can be changed in it; if not, it is for whom nothing is sold to."
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, forget_those_that_do_not_sell),
    ]
