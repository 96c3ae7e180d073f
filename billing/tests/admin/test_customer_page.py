from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.kinds import EntryKind
from billing.models import AuditEntry, BillingCustomer, CreditBalance, CustomerFlag, CustomerNote
from billing.services.flags import raise_flag
from billing.tests.admin.conftest import World, make_event, post_to
from billing.tests.admin.rows import add_rows_of_everything

pytestmark = pytest.mark.django_db


def page_of(customer: BillingCustomer, name: str = "change") -> str:
    return f"/admin/billing/billingcustomer/{customer.pk}/{name}/"


def log_in(group: str) -> Client:
    person, client = User.objects.create_user(f"{group.lower()}@staff.example.com", is_staff=True), Client()
    person.groups.add(Group.objects.get(name=group))
    client.force_login(person)
    return client


@pytest.fixture
def flagged(world: World) -> BillingCustomer:
    """A customer with two flags that freeze and one that does not."""
    with transaction.atomic():
        raise_flag(customer_id=world.customer.pk, cause="dispute:dp_1", reason="Disputed: dp_1", freezes=True)
        raise_flag(customer_id=world.customer.pk, cause="dispute:dp_2", reason="Disputed: dp_2", freezes=True)
        raise_flag(customer_id=world.customer.pk, cause="payment:pay_1", reason="Paid another amount", freezes=False)
    return world.customer


def standing(customer: BillingCustomer) -> list[str]:
    flags = CustomerFlag.objects.filter(customer=customer, ended_at=None)
    return list(flags.order_by("pk").values_list("cause", flat=True))


def test_one_flag_is_lifted_and_the_others_stand(flagged: BillingCustomer) -> None:
    client = log_in("Finance")

    client.post(page_of(flagged, "clear-flag"), {"cause": "dispute:dp_1", "reason": "The bank withdrew it"})

    assert standing(flagged) == ["dispute:dp_2", "payment:pay_1"]
    lifted = CustomerFlag.objects.get(cause="dispute:dp_1")
    assert lifted.ended_by is not None
    assert (lifted.ended_by.email, lifted.ended_reason) == ("finance@staff.example.com", "The bank withdrew it")
    balance = CreditBalance.objects.get(pk=flagged.pk)
    assert (balance.frozen_at is not None, balance.frozen_reason) == (True, "Disputed: dp_2")


def test_what_staff_lifted_stays_lifted(flagged: BillingCustomer) -> None:
    log_in("Finance").post(page_of(flagged, "clear-flag"), {"cause": "dispute:dp_1", "reason": "Looked into"})

    with transaction.atomic():
        is_new = raise_flag(customer_id=flagged.pk, cause="dispute:dp_1", reason="Disputed: dp_1", freezes=True)

    assert not is_new
    assert "dispute:dp_1" not in standing(flagged)


def test_all_that_freezes_is_lifted_at_once(flagged: BillingCustomer) -> None:
    client = log_in("Finance")

    asked = client.get(page_of(flagged, "unfreeze")).content.decode()
    client.post(page_of(flagged, "unfreeze"), {"reason": "Known customer"})

    assert "Disputed: dp_1" in asked
    assert "Paid another amount" not in asked
    assert standing(flagged) == ["payment:pay_1"]
    assert CreditBalance.objects.get(pk=flagged.pk).frozen_at is None
    assert AuditEntry.objects.get(action="customer.unfreeze").after == {"flags": ["payment:pay_1"], "frozen": False}


@pytest.mark.parametrize(
    "form",
    [
        {"reason": "Without a flag"},
        {"cause": "dispute:dp_9", "reason": "Of another customer"},
        {"cause": "dispute:dp_1", "reason": "  "},
    ],
)
def test_without_a_flag_and_a_reason_nothing_is_lifted(flagged: BillingCustomer, form: dict[str, str]) -> None:
    client = log_in("Finance")

    assert client.post(page_of(flagged, "clear-flag"), form).status_code == 200
    assert len(standing(flagged)) == 3


def test_the_link_of_a_flag_chooses_it(flagged: BillingCustomer) -> None:
    client = log_in("Finance")

    page = client.get(page_of(flagged)).content.decode()
    form = client.get(page_of(flagged, "clear-flag"), {"cause": "dispute:dp_2"}).context["form"]

    assert f"{page_of(flagged, 'clear-flag')}?cause=dispute%3Adp_2" in page
    assert form["cause"].value() == "dispute:dp_2"


def test_where_no_flag_stands_there_is_none_to_lift(world: World) -> None:
    page = log_in("Finance").get(page_of(world.customer, "clear-flag"), follow=True)

    assert "No flag stands." in page.content.decode()


def test_freezing_the_frozen_changes_nothing(world: World) -> None:
    client = log_in("Finance")
    client.post(page_of(world.customer, "freeze"), {"reason": "Stolen card"})

    again = client.post(page_of(world.customer, "freeze"), {"reason": "Another reason"}, follow=True)

    assert "nothing has changed" in again.content.decode()
    assert AuditEntry.objects.filter(action="customer.freeze").count() == 1


@pytest.mark.parametrize("group", ["Support", "Approver", "Auditor"])
def test_freezing_is_a_right_of_its_own(flagged: BillingCustomer, group: str) -> None:
    client = log_in(group)

    page = client.get(page_of(flagged)).content.decode()

    assert "Lift it" not in page
    for name in ("freeze", "unfreeze", "clear-flag"):
        assert f"/{name}/" not in page
        sent = {"cause": "dispute:dp_1", "reason": "x"}
        assert client.post(page_of(flagged, name), sent).status_code == 403
    assert len(standing(flagged)) == 3


def test_a_note_is_kept_with_its_author(world: World) -> None:
    client = log_in("Support")

    shown = client.post(page_of(world.customer, "add-note"), {"text": "Calls <b>often</b>"}, follow=True)

    note = CustomerNote.objects.get()
    assert (note.customer, note.author.email) == (world.customer, "support@staff.example.com")
    assert "Calls &lt;b&gt;often&lt;/b&gt;" in shown.content.decode()
    entry = AuditEntry.objects.get(action="customernote.add")
    assert (entry.customer, entry.after) == (world.customer, {"text": "Calls <b>often</b>"})


@pytest.mark.parametrize("text", ["", "   ", "x" * 2001])
def test_an_empty_or_endless_note_is_refused(world: World, text: str) -> None:
    response = log_in("Support").post(page_of(world.customer, "add-note"), {"text": text})

    assert response.status_code == 200
    assert response.context["form"].errors
    assert not CustomerNote.objects.exists()


def test_who_may_only_read_sees_notes_and_no_form(world: World) -> None:
    log_in("Support").post(page_of(world.customer, "add-note"), {"text": "Calls often"})

    page = log_in("Auditor").get(page_of(world.customer)).content.decode()

    assert "Calls often" in page
    assert "Keep the note" not in page


def test_all_of_a_customers_money_is_on_the_page(world: World) -> None:
    add_rows_of_everything(world)
    make_event("evt_refund", related_ids=["re_ada"])

    page = log_in("Auditor").get(page_of(world.customer)).content.decode()

    for expected in (
        "re_ada",
        "dp_ada",
        "issfr_ada",
        "$3.00",  # refunded
        "$7.00",  # disputed
        "$5.00",  # asked for by staff
        "+100,000",  # an adjustment that waits
        "paid_not_granted",
        "Calls every Monday.",
        "requester@example.com",
        "Disputed: dp_ada",
        "customer.freeze",
        "Sign-up bonus",  # balance by kind of grant
    ):
        assert expected in page, expected


def test_each_panel_leads_to_the_list_of_this_customers_rows(world: World) -> None:
    add_rows_of_everything(world)
    client = log_in("Auditor")

    panels = client.get(page_of(world.customer)).context["panels"]

    assert len(panels) == 19
    for panel in panels:
        if panel.address:
            listed = client.get(panel.address, follow=True).context["cl"].result_list
            assert list(listed), panel.title
            assert not [row for row in listed if "bob" in f"{row} {getattr(row, 'customer', '')}"], panel.title


def test_what_staff_did_is_for_those_who_may_read_the_log(world: World) -> None:
    log_in("Finance").post(page_of(world.customer, "freeze"), {"reason": "Stolen card"})

    assert "What staff did" not in log_in("Support").get(page_of(world.customer)).content.decode()
    assert "What staff did" in log_in("Auditor").get(page_of(world.customer)).content.decode()


def test_only_a_debt_can_be_written_off(world: World) -> None:
    client = log_in("Support")
    assert "/write-off/" not in client.get(page_of(world.customer)).content.decode()

    post_to(world.other, -50, kind=EntryKind.REFUND, key="payment:0:1")

    assert "/write-off/" in client.get(page_of(world.other)).content.decode()


def test_a_customer_is_found_by_what_went_back_and_by_former_ids(admin: Client, world: World) -> None:
    add_rows_of_everything(world)
    BillingCustomer.objects.filter(pk=world.customer.pk).update(former_stripe_customer_ids=["cus_gone"])

    for term in ("re_ada", "dp_ada", "issfr_ada", "cus_gone", world.customer.public_id):
        found = admin.get("/admin/billing/billingcustomer/", {"q": term}).context["cl"].result_list
        assert list(found) == [world.customer], term
    for term in ("dp_ada", "ada@example.com"):
        flags = admin.get("/admin/billing/customerflag/", {"q": term}).context["cl"].result_list
        assert {flag.customer_id for flag in flags} == {world.customer.pk}, term


def test_the_page_costs_the_same_queries_for_more_rows(world: World) -> None:
    add_rows_of_everything(world)
    make_event("evt_first", related_ids=["pi_ada"])
    client, author = log_in("Auditor"), User.objects.get(email="requester@example.com")
    client.get(page_of(world.customer))
    with CaptureQueriesContext(connection) as few:
        client.get(page_of(world.customer))

    for number in range(12):
        post_to(world.customer, 1, kind=EntryKind.PROMOTION, key=f"api:more-{number}")
        make_event(f"evt_{number}", related_ids=["pi_ada"])
        CustomerNote.objects.create(customer=world.customer, author=author, text="Another one")
    with CaptureQueriesContext(connection) as many:
        client.get(page_of(world.customer))

    assert len(many) == len(few)
