from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from billing.kinds import EntryKind
from billing.models import Adjustment, AuditEntry, BillingCustomer, CreditBalance, LedgerEntry
from billing.services.customers import ensure_customer
from billing.services.posting import Posting, post
from billing.tests.admin.conftest import World

pytestmark = pytest.mark.django_db


def page_of(world: World, name: str) -> str:
    return f"/admin/billing/billingcustomer/{world.customer.pk}/{name}/"


def decision_page(adjustment: Adjustment, name: str) -> str:
    return f"/admin/billing/adjustment/{adjustment.pk}/{name}/"


def fill_in(**changes: Any) -> dict[str, Any]:
    form = {
        "direction": "credit",
        "amount": "250",
        "reason_code": "outage",
        "note": "Our outage on Monday",
        "ticket": "https://desk.example.com/4711",
        "form_id": str(uuid4()),
    }
    return {**form, **changes}


def posted(world: World) -> Decimal:
    return Decimal(CreditBalance.objects.get(pk=world.customer.pk).posted)


def adjustments(world: World) -> list[LedgerEntry]:
    return list(LedgerEntry.objects.filter(customer=world.customer, kind="adjustment").order_by("sequence"))


def make_staff(name: str, *codenames: str) -> Client:
    user, client = User.objects.create_user(f"{name}@example.com", is_staff=True), Client()
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return client


@pytest.fixture
def approver() -> Client:
    return make_staff("approver", "approve_credits", "view_adjustment")


@pytest.fixture
def large(admin: Client, world: World) -> Adjustment:
    """5,000 credits that wait for a second person."""
    admin.post(page_of(world, "adjust"), {**fill_in(amount="5000"), "confirm": "1"})
    return Adjustment.objects.get()


def test_a_preview_posts_nothing_and_shows_the_new_balance(admin: Client, world: World) -> None:
    page = admin.post(page_of(world, "adjust"), fill_in(amount="1,000"))

    assert not Adjustment.objects.exists()
    shown = page.content.decode()
    for expected in ("10,460", "11,460", "Outage", "Our outage on Monday", "https://desk.example.com/4711"):
        assert expected in shown, expected
    assert 'name="confirm"' in shown
    assert "Confirm and post" in shown


def test_a_preview_says_which_limit_lets_it_wait(admin: Client, world: World) -> None:
    page = admin.post(page_of(world, "adjust"), fill_in(amount="1000.5")).content.decode()

    assert "More than 1,000 credits at once need a second person." in page
    assert "Ask for approval" in page
    assert "11,460.5" in page


def test_a_confirmed_credit_is_one_entry_with_reason_and_author(admin: Client, world: World, staff: User) -> None:
    response = admin.post(page_of(world, "adjust"), {**fill_in(), "confirm": "1"}, follow=True)

    assert response.redirect_chain == [(page_of(world, "change"), 302)]
    assert "+250 credits. The balance is now 10,710." in response.content.decode()
    adjustment, entry = Adjustment.objects.get(), adjustments(world)[0]
    assert (entry.amount, entry.description) == (250, "Our outage on Monday")
    assert (adjustment.entry, adjustment.requested_by, adjustment.reason_code) == (entry, staff, "outage")
    assert adjustment.ticket == "https://desk.example.com/4711"
    assert posted(world) == 10_710
    audit = AuditEntry.objects.get(action="adjustment.request")
    assert (audit.actor, audit.address, audit.after["posted"]) == (staff, "127.0.0.1", "10710.000000")


def test_a_confirmed_debit_takes_credits(admin: Client, world: World) -> None:
    admin.post(page_of(world, "adjust"), {**fill_in(direction="debit", amount="60"), "confirm": "1"})

    assert adjustments(world)[0].amount == -60
    assert posted(world) == 10_400


@pytest.mark.parametrize(("amount", "is_possible"), [("10435", True), ("10435.000001", False)])
def test_a_debit_stops_at_what_is_available(
    admin: Client, world: World, settings: Any, *, amount: str, is_possible: bool
) -> None:
    settings.STAFF_CREDIT_LIMIT = settings.STAFF_CREDIT_DAILY_LIMIT = 20_000
    form = fill_in(direction="debit", amount=amount)

    preview = admin.post(page_of(world, "adjust"), form).content.decode()
    confirmed = admin.post(page_of(world, "adjust"), {**form, "confirm": "1"})

    assert ('name="confirm"' in preview) is is_possible
    assert ("more than is available" in preview) is not is_possible
    assert bool(adjustments(world)) is is_possible
    assert (confirmed.status_code == 302) is is_possible
    assert Adjustment.objects.exists() is is_possible


def test_a_debit_that_may_leave_a_debt_waits(admin: Client, world: World) -> None:
    form = fill_in(direction="debit", amount="10500", leave_debt="on")

    preview = admin.post(page_of(world, "adjust"), form).content.decode()
    admin.post(page_of(world, "adjust"), {**form, "confirm": "1"})

    assert "may leave a debt needs a second person" in preview
    assert "−40" in preview
    assert (Adjustment.objects.get().state, Adjustment.objects.get().may_leave_debt) == ("waiting", True)


def test_a_form_sent_twice_posts_once(admin: Client, world: World) -> None:
    form = {**fill_in(), "confirm": "1"}

    admin.post(page_of(world, "adjust"), form)
    second = admin.post(page_of(world, "adjust"), form, follow=True)

    assert len(adjustments(world)) == 1
    assert AuditEntry.objects.filter(action="adjustment.request").count() == 1
    assert "sent before" in second.content.decode()


def test_a_form_sent_again_with_another_amount_is_refused(admin: Client, world: World) -> None:
    form = {**fill_in(), "confirm": "1"}
    admin.post(page_of(world, "adjust"), form)

    again = admin.post(page_of(world, "adjust"), {**form, "amount": "999"})

    assert again.status_code == 200
    assert "belongs to another request" in again.content.decode()
    assert len(adjustments(world)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"note": ""},
        {"note": "   "},
        {"note": "x" * 501},
        {"amount": ""},
        {"amount": "0"},
        {"amount": "-5"},
        {"amount": "1e99"},
        {"amount": "NaN"},
        {"amount": "0.0000001"},
        {"direction": "sideways"},
        {"reason_code": ""},
        {"reason_code": "because"},
        {"reason_code": "write_off"},
        {"ticket": "http://desk.example.com/4711"},
        {"ticket": "javascript:alert(1)"},
        {"leave_debt": "on"},
        {"form_id": "not a uuid"},
    ],
)
def test_what_is_missing_or_wrong_posts_nothing(admin: Client, world: World, change: dict[str, str]) -> None:
    response = admin.post(page_of(world, "adjust"), {**fill_in(**change), "confirm": "1"})

    assert response.status_code == 200
    assert not Adjustment.objects.exists()
    assert adjustments(world) == []


def test_opening_the_page_posts_nothing(admin: Client, world: World) -> None:
    assert admin.get(page_of(world, "adjust"), {**fill_in(), "confirm": "1"}).status_code == 200
    assert adjustments(world) == []


def test_the_right_to_adjust_is_a_right_of_its_own(world: World) -> None:
    clerk, client = User.objects.create_user("clerk@example.com", is_staff=True), Client()
    everything_else = Permission.objects.filter(content_type__app_label="billing").exclude(codename="adjust_credits")
    clerk.user_permissions.set(everything_else)
    client.force_login(clerk)

    assert client.get(page_of(world, "change")).status_code == 200
    assert "adjust/" not in client.get(page_of(world, "change")).content.decode()
    for page in ("adjust", "write-off"):
        assert client.post(page_of(world, page), {**fill_in(), "confirm": "1"}).status_code == 403
    assert adjustments(world) == []

    clerk.user_permissions.add(Permission.objects.get(codename="adjust_credits"))

    assert client.post(page_of(world, "adjust"), {**fill_in(), "confirm": "1"}).status_code == 302


def test_nobody_credits_themselves(admin: Client, staff: User) -> None:
    own = ensure_customer(user=staff)

    answer = admin.post(f"/admin/billing/billingcustomer/{own.pk}/adjust/", {**fill_in(), "confirm": "1"})

    assert "nobody decides about their own credits" in answer.content.decode()
    assert not Adjustment.objects.exists()


# --- the second person


def test_what_waits_is_told_and_heads_the_list(admin: Client, world: World) -> None:
    asked = admin.post(page_of(world, "adjust"), {**fill_in(amount="5000"), "confirm": "1"}, follow=True)
    admin.post(page_of(world, "adjust"), {**fill_in(amount="1"), "confirm": "1"})

    assert "+5,000 credits wait for a second person" in asked.content.decode()
    assert posted(world) == 10_461
    listed = admin.get("/admin/billing/adjustment/").context["cl"].result_list
    assert [row.amount for row in listed] == [5000, 1]
    waiting = admin.get("/admin/billing/adjustment/?state=waiting").context["cl"].result_list
    assert [row.amount for row in waiting] == [5000]
    exported = admin.get("/admin/billing/adjustment/export/adjustments.csv?state=waiting")
    lines = b"".join(exported.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert "5000.000000" in lines[1]


def test_the_second_person_sees_what_it_does_and_approves(
    approver: Client, world: World, large: Adjustment, staff: User
) -> None:
    page = approver.get(decision_page(large, "approve")).content.decode()
    for expected in (
        "10,460",
        "15,460",
        "Outage",
        "Our outage on Monday",
        'href="https://desk.example.com/4711"',
        "More than 1,000 credits at once",
        staff.email,
    ):
        assert expected in page, expected
    assert posted(world) == 10_460

    answer = approver.post(decision_page(large, "approve"), {"note": "", "confirm": "1"}, follow=True)

    assert "+5,000 credits. The balance is now 15,460." in answer.content.decode()
    assert posted(world) == 15_460
    large.refresh_from_db()
    assert (large.state, str(large.approved_by)) == ("posted", "approver@example.com")


def test_declining_needs_a_note(approver: Client, world: World, large: Adjustment) -> None:
    assert approver.post(decision_page(large, "decline"), {"note": " "}).status_code == 200
    large.refresh_from_db()
    assert large.state == "waiting"

    approver.post(decision_page(large, "decline"), {"note": "Too much"})

    large.refresh_from_db()
    assert (large.state, large.decision_note, posted(world)) == ("declined", "Too much", 10_460)


def test_the_requester_is_not_offered_the_decision(admin: Client, world: World, large: Adjustment) -> None:
    assert "/approve/" not in admin.get(decision_page(large, "change")).content.decode()

    answer = admin.post(decision_page(large, "approve"), {"note": "Mine", "confirm": "1"}, follow=True)

    assert "You asked for this yourself." in answer.content.decode()
    assert posted(world) == 10_460


def test_the_right_to_approve_is_a_right_of_its_own(world: World, large: Adjustment) -> None:
    reader = make_staff("reader", "view_adjustment", "adjust_credits")

    assert reader.get(decision_page(large, "change")).status_code == 200
    assert "/approve/" not in reader.get(decision_page(large, "change")).content.decode()
    for name in ("approve", "decline"):
        assert reader.post(decision_page(large, name), {"note": "Yes"}).status_code == 403
    blind = make_staff("blind", "approve_credits")
    assert blind.post(decision_page(large, "approve"), {"note": "Yes"}).status_code == 403
    assert posted(world) == 10_460


def test_a_second_decision_is_told_the_first(approver: Client, world: World, large: Adjustment) -> None:
    approver.post(decision_page(large, "approve"), {"note": ""})

    page = approver.get(decision_page(large, "change")).content.decode()
    again = approver.post(decision_page(large, "approve"), {"note": ""}, follow=True)

    assert "10,460 → 15,460" in page
    assert "/approve/" not in page
    assert "is approved already" in again.content.decode()
    assert posted(world) == 15_460


def test_a_debit_that_lost_its_cover_is_refused_with_the_reason(admin: Client, approver: Client, world: World) -> None:
    admin.post(page_of(world, "adjust"), {**fill_in(direction="debit", amount="10000"), "confirm": "1"})
    waiting = Adjustment.objects.get()
    use(world.customer, 5000)

    page = approver.get(decision_page(waiting, "approve")).content.decode()
    answer = approver.post(decision_page(waiting, "approve"), {"note": ""})

    assert "That is more than is available." in page
    assert "10000.000000 credits are needed" in answer.content.decode()
    waiting.refresh_from_db()
    assert waiting.state == "waiting"


def test_a_debt_is_written_off_by_two_people(admin: Client, approver: Client, world: World) -> None:
    assert "/write-off/" not in admin.get(page_of(world, "change")).content.decode()
    use(world.customer, 10_460 + 40, kind=EntryKind.ADJUSTMENT)
    assert "/write-off/" in admin.get(page_of(world, "change")).content.decode()
    assert 'value="40"' in admin.get(page_of(world, "write-off")).content.decode()
    form = {"amount": "40", "note": "Cannot pay", "form_id": str(uuid4())}

    preview = admin.post(page_of(world, "write-off"), form).content.decode()
    too_much = admin.post(page_of(world, "write-off"), {**form, "amount": "41"}).content.decode()
    admin.post(page_of(world, "write-off"), {**form, "confirm": "1"})

    assert "Every write-off needs a second person." in preview
    assert "The debt is 40 credits." in too_much
    waiting = Adjustment.objects.get()
    assert (waiting.state, waiting.is_write_off, posted(world)) == ("waiting", True, -40)
    approver.post(decision_page(waiting, "approve"), {"note": ""})
    assert posted(world) == 0


def use(customer: BillingCustomer, amount: int, *, kind: EntryKind = EntryKind.USAGE) -> None:
    may_leave_debt = kind is EntryKind.ADJUSTMENT
    posting = Posting(
        customer_id=customer.pk,
        kind=kind,
        amount=Decimal(-amount),
        key=f"api:{uuid4()}",
        description="Used",
        may_leave_debt=may_leave_debt,
    )
    post(posting=posting)


def test_a_form_from_elsewhere_is_refused(staff: User, world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)

    for page in ("adjust", "freeze"):
        assert client.post(page_of(world, page), {**fill_in(), "confirm": "1"}).status_code == 403
    assert adjustments(world) == []


def test_freezing_and_lifting_ask_for_a_reason(admin: Client, world: World) -> None:
    admin.post(page_of(world, "freeze"), {"reason": ""})
    assert CreditBalance.objects.get(pk=world.customer.pk).frozen_at is None

    admin.post(page_of(world, "freeze"), {"reason": "Stolen card"})
    balance = CreditBalance.objects.get(pk=world.customer.pk)
    assert balance.frozen_at is not None
    assert balance.frozen_reason == "Stolen card"
    page = admin.get(page_of(world, "change")).content.decode()
    assert "Stolen card" in page
    assert "/unfreeze/" in page
    assert "/freeze/" not in page

    admin.post(page_of(world, "unfreeze"), {"reason": "Bank confirmed"})
    assert CreditBalance.objects.get(pk=world.customer.pk).frozen_at is None
    messages = [log.get_change_message() for log in LogEntry.objects.order_by("pk")]
    assert messages == ["Frozen: Stolen card", "Freeze lifted: Bank confirmed"]


def test_a_flag_is_cleared_with_a_reason(admin: Client, world: World) -> None:
    from billing.services.flags import raise_flag

    raise_flag(customer_id=world.customer.pk, cause="payment:pay_x", reason="Paid another amount", freezes=False)
    assert "Paid another amount" in admin.get(page_of(world, "change")).content.decode()

    admin.post(page_of(world, "clear-flag"), {"reason": "Refunded"})

    world.customer.refresh_from_db()
    assert world.customer.flagged_at is None
    assert LogEntry.objects.get().get_change_message() == "Flag cleared: Refunded"


def test_a_customer_who_does_not_exist_is_not_found(admin: Client) -> None:
    assert admin.post("/admin/billing/billingcustomer/999999/adjust/", {**fill_in(), "confirm": "1"}).status_code == 404
