"""Staff refund a payment from its page: preview, one refund for two clicks, a second person above the limit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing.gateway.client import StripeGateway
from billing.kinds import EntryKind
from billing.models import AuditEntry, BillingCustomer, Payment, PaymentRefund, RefundRequest
from billing.tests.services.money_back import ask_refund, buy_thousand, deliver_all, make_staff, posted
from billing.tests.shop import make_pack, open_checkout
from billing.tests.views.rows import add_entry
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
VIEWS = ("view_payment", "view_refundrequest", "view_billingcustomer")


@pytest.fixture
def payment(stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer) -> Payment:
    """1,000 credits for $10.00."""
    return buy_thousand(sandbox=stripe_sandbox, gateway=gateway, customer=customer)


@pytest.fixture
def clerk() -> User:
    return make_staff(*VIEWS, "request_refunds", "run_reconciliation")


@pytest.fixture
def approver() -> User:
    return make_staff(*VIEWS, "approve_refunds")


def login(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page_of(payment: Payment, name: str = "change") -> str:
    return f"/admin/billing/payment/{payment.pk}/{name}/"


def request_page(request: RefundRequest, name: str = "change") -> str:
    return f"/admin/billing/refundrequest/{request.pk}/{name}/"


def fill_in(**changes: Any) -> dict[str, Any]:
    form = {"amount": "2.50", "reason_code": "goodwill", "note": "By mistake", "ticket": "", "form_key": str(uuid4())}
    return {**form, **changes}


def test_form_proposes_the_unused_part(payment: Payment, customer: BillingCustomer, clerk: User) -> None:
    add_entry(customer, "-250", kind=EntryKind.USAGE)

    page = login(clerk).get(page_of(payment, "refund")).content.decode()

    assert 'value="7.50"' in page
    assert "Unused part, proposed" in page
    assert not RefundRequest.objects.exists()


def test_preview_shows_credits_and_debt_and_asks_nothing(
    payment: Payment, customer: BillingCustomer, clerk: User
) -> None:
    add_entry(customer, "-900", kind=EntryKind.USAGE)

    page = login(clerk).post(page_of(payment, "refund"), fill_in(amount="10.00")).content.decode()

    assert "Debt that it leaves" in page
    assert "900" in page
    assert "the next purchase repays first" in page
    assert 'name="confirm"' in page
    assert not RefundRequest.objects.exists()


def test_confirmed_refund_goes_to_stripe_and_takes_the_credits(
    payment: Payment, customer: BillingCustomer, clerk: User
) -> None:
    answer = login(clerk).post(page_of(payment, "refund"), {**fill_in(), "confirm": "1"}, follow=True)

    request = RefundRequest.objects.get()
    assert answer.redirect_chain[-1][0] == request_page(request)
    assert "Stripe has accepted the refund" in answer.content.decode()
    assert (request.state, request.amount_minor, request.requested_by) == ("accepted", 250, clerk)
    assert posted(customer) == 750
    assert AuditEntry.objects.filter(actor=clerk, action="refund_request.send", address="127.0.0.1").exists()


def test_two_clicks_are_one_refund(stripe_sandbox: SandboxServer, payment: Payment, clerk: User) -> None:
    client, form = login(clerk), {**fill_in(), "confirm": "1"}

    client.post(page_of(payment, "refund"), form)
    second = client.post(page_of(payment, "refund"), form, follow=True)

    assert "sent before" in second.content.decode()
    assert RefundRequest.objects.count() == 1
    assert len(stripe_sandbox.control.list_objects("refund")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"amount": ""},
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": "2.505"},
        {"amount": "10.01"},
        {"amount": "NaN"},
        {"reason_code": "write_off"},
        {"note": " "},
        {"ticket": "javascript:alert(1)"},
        {"form_key": "x"},
    ],
)
def test_what_is_missing_or_wrong_refunds_nothing(payment: Payment, clerk: User, change: dict[str, str]) -> None:
    answer = login(clerk).post(page_of(payment, "refund"), {**fill_in(**change), "confirm": "1"})

    assert answer.status_code == 200
    assert not RefundRequest.objects.exists()


def test_amount_above_what_is_left_is_told_before_the_preview(payment: Payment, clerk: User) -> None:
    page = login(clerk).post(page_of(payment, "refund"), fill_in(amount="10.01")).content.decode()

    assert "At most $10.00 can still go back." in page
    assert 'name="confirm"' not in page


def test_stripes_refusal_is_shown_and_kept(
    stripe_sandbox: SandboxServer, payment: Payment, customer: BillingCustomer, clerk: User
) -> None:
    stripe_sandbox.control.refund_payment(payment.payment_intent_id or "", amount=900)

    page = login(clerk).post(page_of(payment, "refund"), {**fill_in(), "confirm": "1"}, follow=True).content.decode()

    request = RefundRequest.objects.get()
    assert "Refused by Stripe" in page
    assert request.refusal in page.replace("&#x27;", "'")
    assert posted(customer) == 1000


def test_large_refund_waits_and_is_sent_when_approved(
    settings: Settings,
    stripe_sandbox: SandboxServer,
    payment: Payment,
    customer: BillingCustomer,
    clerk: User,
    approver: User,
) -> None:
    settings.STAFF_REFUND_LIMIT = 100
    preview = login(clerk).post(page_of(payment, "refund"), fill_in()).content.decode()
    assert "Ask for approval" in preview
    login(clerk).post(page_of(payment, "refund"), {**fill_in(), "confirm": "1"})
    request = RefundRequest.objects.get()
    assert request.state == "waiting"
    assert stripe_sandbox.control.list_objects("refund") == []

    question = login(approver).get(request_page(request, "approve")).content.decode()
    assert "Credits that are taken back: 250" in question
    answer = login(approver).post(request_page(request, "approve"), {"note": ""}, follow=True)

    assert "Stripe has accepted" in answer.content.decode()
    request.refresh_from_db()
    assert (request.state, request.approved_by) == ("accepted", approver)
    assert posted(customer) == 750


def test_declined_refund_is_never_sent(
    settings: Settings, stripe_sandbox: SandboxServer, payment: Payment, clerk: User, approver: User
) -> None:
    settings.STAFF_REFUND_LIMIT = 0
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)

    login(approver).post(request_page(request, "decline"), {"note": ""})
    request.refresh_from_db()
    assert request.state == "waiting"
    login(approver).post(request_page(request, "decline"), {"note": "It was spent"})

    request.refresh_from_db()
    assert (request.state, request.decision_note) == ("declined", "It was spent")
    page = login(clerk).get(request_page(request)).content.decode()
    assert "/send/" not in page
    assert "/approve/" not in page
    again = login(approver).get(request_page(request, "approve"), follow=True).content.decode()
    assert "It waits for nobody: declined." in again


def test_requester_is_told_that_another_person_decides(settings: Settings, payment: Payment) -> None:
    settings.STAFF_REFUND_LIMIT = 0
    both = make_staff(*VIEWS, "request_refunds", "approve_refunds")
    request = ask_refund(payment=payment, amount_minor=250, actor=both)

    answer = login(both).post(request_page(request, "approve"), {"note": ""}, follow=True)

    assert "Another person" in answer.content.decode()
    request.refresh_from_db()
    assert request.state == "waiting"


def test_unanswered_refund_is_asked_about_again_from_its_page(
    stripe_sandbox: SandboxServer, payment: Payment, clerk: User
) -> None:
    stripe_sandbox.control.add_fault("lost_response", method="POST", path="/v1/refunds", times=3)
    client = login(clerk)
    first = client.post(page_of(payment, "refund"), {**fill_in(), "confirm": "1"}, follow=True)
    request = RefundRequest.objects.get()
    assert request.state == "sent"
    assert "Stripe has not answered" in first.content.decode()
    stripe_sandbox.control.clear_faults()

    assert "one refund is made" in client.get(request_page(request, "send")).content.decode()
    client.post(request_page(request, "send"))

    request.refresh_from_db()
    assert request.state == "accepted"
    assert len(stripe_sandbox.control.list_objects("refund")) == 1


@pytest.mark.parametrize("name", ["refund", "check", "grant"])
def test_acts_need_their_right(payment: Payment, approver: User, name: str) -> None:
    client = login(approver)

    assert f"/{name}/" not in client.get(page_of(payment)).content.decode()
    assert client.post(page_of(payment, name), {**fill_in(), "confirm": "1", "reason": "x"}).status_code == 403


@pytest.mark.parametrize("name", ["approve", "decline"])
def test_deciding_needs_its_right(settings: Settings, payment: Payment, clerk: User, name: str) -> None:
    settings.STAFF_REFUND_LIMIT = 0
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)

    assert login(clerk).post(request_page(request, name), {"note": "x"}).status_code == 403


def test_refunded_payment_offers_no_refund(payment: Payment, clerk: User) -> None:
    client = login(clerk)
    assert "/refund/" in client.get(page_of(payment)).content.decode()

    client.post(page_of(payment, "refund"), {**fill_in(amount="10"), "confirm": "1"})

    page = client.get(page_of(payment)).content.decode()
    assert f"{payment.pk}/refund/" not in page
    assert "$10.00 refunded" in page


def test_check_with_stripe_brings_what_webhooks_did_not(
    stripe_sandbox: SandboxServer, payment: Payment, customer: BillingCustomer, clerk: User
) -> None:
    stripe_sandbox.control.refund_payment(payment.payment_intent_id or "", amount=300)
    client = login(clerk)
    client.post(page_of(payment, "check"), {"reason": ""})
    assert posted(customer) == 1000

    answer = client.post(page_of(payment, "check"), {"reason": "Customer asked"}, follow=True)

    assert "Read from Stripe" in answer.content.decode()
    assert posted(customer) == 700
    entry = AuditEntry.objects.get(action="payment.check")
    assert (entry.reason, entry.before["refunded_minor"], entry.after["refunded_minor"]) == ("Customer asked", 0, 300)


def test_check_while_stripe_is_away_changes_nothing(
    stripe_sandbox: SandboxServer, payment: Payment, clerk: User
) -> None:
    stripe_sandbox.control.fail_reads(percent=100)

    answer = login(clerk).post(page_of(payment, "check"), {"reason": "Look"}, follow=True)

    assert "Nothing was changed" in answer.content.decode()
    assert not AuditEntry.objects.filter(action="payment.check").exists()


def test_payment_that_is_not_under_review_is_not_granted_again(
    payment: Payment, customer: BillingCustomer, clerk: User
) -> None:
    client = login(clerk)

    assert "/grant/" not in client.get(page_of(payment)).content.decode()
    answer = client.post(page_of(payment, "grant"), {"reason": "x"}, follow=True)

    assert "not under review" in answer.content.decode()
    assert posted(customer) == 1000


class TestReview:
    @pytest.fixture
    def reviewed(self, stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer) -> Payment:
        """$10.00 were paid, and $9.00 were asked for."""
        pack = make_pack(name="1,000 credits", credits=Decimal(1000), bonus_credits=0)
        started = open_checkout(customer=customer, pack=pack, gateway=gateway)
        Payment.objects.filter(pk=started.payment.pk).update(amount_minor=900)
        stripe_sandbox.control.pay_session(started.session_id)
        deliver_all(stripe_sandbox, gateway)
        assert posted(customer) == 0
        return Payment.objects.get(pk=started.payment.pk)

    def test_what_was_offered_is_granted_with_a_reason(
        self, reviewed: Payment, customer: BillingCustomer, clerk: User
    ) -> None:
        client = login(clerk)
        assert "/grant/" in client.get(page_of(reviewed)).content.decode()
        assert reviewed.mismatch in client.get(page_of(reviewed, "grant")).content.decode()
        client.post(page_of(reviewed, "grant"), {"reason": ""})
        assert posted(customer) == 0

        client.post(page_of(reviewed, "grant"), {"reason": "A pricing error of ours"})
        client.post(page_of(reviewed, "grant"), {"reason": "Clicked twice"})

        assert posted(customer) == 1000
        entry = AuditEntry.objects.get(action="payment.grant")
        assert (entry.actor, entry.reason, entry.address) == (clerk, "A pricing error of ours", "127.0.0.1")

    def test_nobody_grants_their_own(self, reviewed: Payment, customer: BillingCustomer, clerk: User) -> None:
        BillingCustomer.objects.filter(pk=customer.pk).update(user=clerk)

        login(clerk).post(page_of(reviewed, "grant"), {"reason": "For me"})

        assert posted(customer) == 0

    def test_all_of_it_is_proposed_for_a_refund_and_takes_no_credits(
        self, reviewed: Payment, customer: BillingCustomer, clerk: User
    ) -> None:
        client = login(clerk)
        assert 'value="10.00"' in client.get(page_of(reviewed, "refund")).content.decode()

        client.post(page_of(reviewed, "refund"), {**fill_in(amount="10.00"), "confirm": "1"})

        assert RefundRequest.objects.get().state == "accepted"
        assert posted(customer) == 0
        assert Payment.objects.get(pk=reviewed.pk).given_back_minor == 1000


def test_payment_shows_what_went_back(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, admin: Client
) -> None:
    stripe_sandbox.control.refund_payment(payment.payment_intent_id or "", amount=300)
    dispute = stripe_sandbox.control.open_dispute(payment.payment_intent_id or "", amount=700)
    stripe_sandbox.control.warn_of_fraud(payment.payment_intent_id or "")
    deliver_all(stripe_sandbox, gateway)

    page = admin.get(page_of(payment)).content.decode()

    assert PaymentRefund.objects.get().refund_id in page
    assert dispute["id"] in page
    assert "unauthorized_use_of_card" in page
    assert "$3.00 refunded, $7.00 withdrawn by disputes" in page
    for name in ("paymentrefund", "paymentdispute", "disputemovement", "fraudwarning", "moneymovement"):
        listed = admin.get(f"/admin/billing/{name}/?q={payment.public_id}")
        assert listed.context["cl"].result_count >= 1, name


@pytest.mark.parametrize(("back", "count"), [("refunded", 1), ("credited", 0), ("disputed", 0), ("none", 0)])
def test_payments_are_filtered_by_what_went_back(
    payment: Payment, clerk: User, admin: Client, *, back: str, count: int
) -> None:
    login(clerk).post(page_of(payment, "refund"), {**fill_in(), "confirm": "1"})

    assert admin.get(f"/admin/billing/payment/?back={back}").context["cl"].result_count == count
    assert admin.get("/admin/billing/refundrequest/?state=accepted").context["cl"].result_count == 1
