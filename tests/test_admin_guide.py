"""What the admin guide says about rights and limits is what the migration and the settings say."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings

from billing import conf
from billing.money import format_credits, format_money

GUIDE = (Path(settings.BASE_DIR) / "docs/admin-guide.md").read_text()
GROUPS_MIGRATIONS = [
    import_module(f"billing.migrations.{name}")
    for name in (
        "0004_groups",
        "0006_groups_for_usage",
        "0013_groups_for_vouchers",
        "0016_groups_for_webhooks",
        "0018_groups_for_mails",
        "0020_groups_for_top_ups",
        "0022_groups_for_plans",
    )
]


def rows_after(heading: str) -> list[list[str]]:
    """The cells of the table's rows below a heading, without its head."""
    part = GUIDE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", part, re.MULTILINE)[2:]
    ]


@pytest.mark.parametrize(("place", "group"), list(enumerate(("Support", "Finance", "Approver", "Auditor"), start=2)))
def test_rights_in_the_guide_are_those_of_the_groups(place: int, group: str) -> None:
    told = {right for row in rows_after("Who may do what") if row[place] for right in re.findall(r"`(.+?)`", row[1])}

    given = {right for migration in GROUPS_MIGRATIONS for right in migration.GROUPS[group]}
    assert told == given - {right for migration in GROUPS_MIGRATIONS for right in migration.READING}


def test_limits_in_the_guide_are_the_settings() -> None:
    told = {row[2].strip("`"): row[1] for row in rows_after("Giving and taking credits") if row[2]}

    assert told == {
        "STAFF_CREDIT_LIMIT": f"{format_credits(conf.staff_credit_limit())} credits",
        "STAFF_CREDIT_DAILY_LIMIT": f"{format_credits(conf.staff_credit_daily_limit())} credits",
        "STAFF_CREDIT_DAILY_TOTAL": f"{format_credits(conf.staff_credit_daily_total())} credits",
        "STAFF_REFUND_LIMIT": format_money(amount_minor=conf.staff_refund_limit_minor(), currency="usd"),
    }


def test_contents_of_the_guide_lead_to_its_headings() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.+)$", GUIDE, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([^)]+)\)", GUIDE)) <= anchors
