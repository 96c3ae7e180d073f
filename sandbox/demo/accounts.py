"""The people of the demo. Their passwords are printed at every start: they exist on a developer's machine only."""

from typing import Final, NamedTuple


class DemoAccount(NamedTuple):
    """One person who can log in to the demo."""

    role: str
    email: str
    password: str
    is_staff: bool


OWNER: Final = DemoAccount(role="owner", email="owner@example.com", password="prepaid-owner-demo", is_staff=False)
STAFF: Final = DemoAccount(role="staff", email="staff@example.com", password="prepaid-staff-demo", is_staff=True)
DEMO_ACCOUNTS: Final = (OWNER, STAFF)
