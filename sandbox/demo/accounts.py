"""The people of the demo. Their passwords are printed at every start: they exist on a developer's machine only."""

from typing import Final, NamedTuple


class DemoAccount(NamedTuple):
    """One person who can log in to the demo. Staff without a group may do everything that anybody may."""

    role: str
    email: str
    password: str
    is_staff: bool
    group: str = ""


OWNER: Final = DemoAccount(role="owner", email="owner@example.com", password="prepaid-owner-demo", is_staff=False)
DEBTOR: Final = DemoAccount(role="debtor", email="debtor@example.com", password="prepaid-debtor-demo", is_staff=False)
STAFF: Final = DemoAccount(role="staff", email="staff@example.com", password="prepaid-staff-demo", is_staff=True)
SUPPORT: Final = DemoAccount("support", "support@example.com", "prepaid-support-demo", is_staff=True, group="Support")
FINANCE: Final = DemoAccount("finance", "finance@example.com", "prepaid-finance-demo", is_staff=True, group="Finance")
APPROVER: Final = DemoAccount(
    "approver", "approver@example.com", "prepaid-approver-demo", is_staff=True, group="Approver"
)
AUDITOR: Final = DemoAccount("auditor", "auditor@example.com", "prepaid-auditor-demo", is_staff=True, group="Auditor")
DEMO_ACCOUNTS: Final = (OWNER, DEBTOR, STAFF, SUPPORT, FINANCE, APPROVER, AUDITOR)
