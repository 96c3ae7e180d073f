"""How far below zero a customer's usage may go: set by staff with a reason, kept by the ledger."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from billing.errors import InsufficientCredits, InvalidRequest
from billing.kinds import EntryKind
from billing.models import AuditEntry, CreditBalance
from billing.services.holds import place_hold
from billing.services.overdraft import set_overdraft
from billing.tests.admin.conftest import World, post_to

pytestmark = pytest.mark.django_db


def page_of(world: World) -> str:
    return f"/admin/billing/billingcustomer/{world.other.pk}/overdraft/"


def limit_of(world: World) -> Decimal:
    return Decimal(CreditBalance.objects.get(pk=world.other.pk).overdraft_limit)


def test_usage_goes_as_far_below_zero_as_staff_say(admin: Client, staff: User, world: World) -> None:
    answer = admin.post(page_of(world), {"limit": "1,000.5", "reason": "Pays by invoice"}, follow=True)

    assert "Overdraft set." in answer.content.decode()
    assert "with 1,000.5 overdraft" in answer.content.decode()
    post_to(world.other, -800, kind=EntryKind.USAGE, key="api:below-zero")
    with pytest.raises(InsufficientCredits):
        place_hold(customer_id=world.other.pk, amount=Decimal(300), key="api:too-far")
    act = AuditEntry.objects.get(action="customer.set_overdraft")
    assert (act.actor, act.reason, act.customer) == (staff, "Pays by invoice", world.other)
    assert (act.before, act.after) == ({"overdraft": "0.000000"}, {"overdraft": "1000.500000"})


def test_a_lower_limit_leaves_what_is_owed_and_refuses_the_next(admin: Client, world: World) -> None:
    admin.post(page_of(world), {"limit": "100", "reason": "Pays by invoice"})
    post_to(world.other, -50, kind=EntryKind.USAGE, key="api:below-zero")

    admin.post(page_of(world), {"limit": "0", "reason": "Did not pay"})

    assert limit_of(world) == 0
    assert CreditBalance.objects.get(pk=world.other.pk).posted == -45
    with pytest.raises(InsufficientCredits):
        post_to(world.other, -1, kind=EntryKind.USAGE, key="api:next")


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("-1", "from 0 to"),
        ("10000001", "from 0 to 10,000,000"),
        ("much", "is not a number"),
        ("NaN", "not a finite number"),
        ("0.0000001", "more than 6 decimal places"),
        ("", "This field is required"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(admin: Client, world: World, limit: str, told: str) -> None:
    page = admin.post(page_of(world), {"limit": limit, "reason": "Pays by invoice"}).content.decode()

    assert told in page
    assert limit_of(world) == 0


def test_a_reason_is_needed(admin: Client, world: World) -> None:
    assert admin.post(page_of(world), {"limit": "100", "reason": ""}).status_code == 200
    assert limit_of(world) == 0


def test_the_same_limit_again_is_no_act(admin: Client, world: World) -> None:
    for _ in range(2):
        answer = admin.post(page_of(world), {"limit": "100", "reason": "Pays by invoice"}, follow=True)

    assert "nothing has changed" in answer.content.decode()
    assert AuditEntry.objects.filter(action="customer.set_overdraft").count() == 1


def test_who_gives_credits_within_limits_does_not_lend(world: World) -> None:
    agent = User.objects.create_user("agent@example.com", is_staff=True)
    agent.groups.add(Group.objects.get(name="Support"))
    client = Client()
    client.force_login(agent)

    assert client.post(page_of(world), {"limit": "100", "reason": "Friend"}).status_code == 403
    assert limit_of(world) == 0


def test_the_service_refuses_it_too(world: World) -> None:
    with pytest.raises(InvalidRequest, match="limit"):
        set_overdraft(customer_id=world.other.pk, limit=Decimal(-1))
    assert set_overdraft(customer_id=world.other.pk, limit=Decimal(7)) == 0
    assert set_overdraft(customer_id=world.other.pk, limit=Decimal(8)) == 7
