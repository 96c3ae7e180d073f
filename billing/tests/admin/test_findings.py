"""Staff look at findings, repair them after having seen what that does, or accept them."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from accounts.models import User
from billing.gateway.client import StripeGateway
from billing.models import (
    AuditEntry,
    BillingCustomer,
    CreditPack,
    FindingState,
    LedgerEntry,
    Payment,
    ReconciliationFinding,
    ReconciliationRun,
    StripeEvent,
)
from billing.tests.services.money_back import deliver_all, make_staff, posted
from billing.tests.services.reconciliation.running import reconcile
from billing.tests.shop import open_checkout
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
FINDINGS, RUNS = "/admin/billing/reconciliationfinding/", "/admin/billing/reconciliationrun/"
VIEWS = ("view_reconciliationfinding", "view_reconciliationrun", "view_payment", "view_billingcustomer")


@pytest.fixture
def clerk() -> Client:
    return login(make_staff(*VIEWS, "run_reconciliation", "request_refunds"))


@pytest.fixture
def lost(stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack) -> Payment:
    """Paid at Stripe, and no webhook came."""
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    stripe_sandbox.control.pay_session(started.session_id)
    return started.payment


def login(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def find(gateway: StripeGateway, kind: str = "paid_not_granted") -> ReconciliationFinding:
    reconcile(gateway)
    return ReconciliationFinding.objects.get(kind=kind)


def test_list_shows_buckets_with_open_findings(lost: Payment, gateway: StripeGateway, clerk: Client) -> None:
    find(gateway)

    page = clerk.get(FINDINGS).content.decode()

    assert "At Stripe, not here" in page
    assert f"{FINDINGS}?bucket=missing_here&amp;state__exact=open" in page
    assert lost.public_id in page
    assert lost.public_id in clerk.get(f"{FINDINGS}?bucket=missing_here&kind=paid_not_granted").content.decode()
    assert lost.public_id not in clerk.get(f"{FINDINGS}?bucket=ledger").content.decode()
    assert lost.public_id in clerk.get(f"{FINDINGS}?q={lost.public_id}").content.decode()


def test_page_shows_both_sides_and_nothing_to_edit(lost: Payment, gateway: StripeGateway, clerk: Client) -> None:
    finding = find(gateway)

    page = clerk.get(f"{FINDINGS}{finding.pk}/change/").content.decode()

    assert "At Stripe" in page
    assert "Payment intent" in page
    assert f"{FINDINGS}{finding.pk}/repair/" in page
    assert 'name="_save"' not in page


def test_repair_shows_first_what_it_would_do(
    lost: Payment, customer: BillingCustomer, gateway: StripeGateway, clerk: Client
) -> None:
    finding = find(gateway)

    page = clerk.get(f"{FINDINGS}{finding.pk}/repair/").content.decode()

    assert "Would post +10,500" in page
    assert "Nothing has been changed yet" in page
    assert not LedgerEntry.objects.exists()
    assert posted(customer) == 0
    lost.refresh_from_db()
    assert lost.paid_at is None


def test_repair_needs_a_reason_and_is_audited(
    lost: Payment, customer: BillingCustomer, gateway: StripeGateway, clerk: Client
) -> None:
    finding = find(gateway)
    address = f"{FINDINGS}{finding.pk}/repair/"

    assert "required" in clerk.post(address, {"reason": ""}).content.decode()
    assert posted(customer) == 0
    answer = clerk.post(address, {"reason": "The endpoint was down."}, follow=True)

    assert "Repaired." in answer.content.decode()
    assert posted(customer) == 10_500
    finding.refresh_from_db()
    assert (finding.state, finding.ended_reason) == (FindingState.REPAIRED, "The endpoint was down.")
    act = AuditEntry.objects.get(action="finding.repair")
    assert (act.actor, act.reason, act.customer) == (finding.ended_by, "The endpoint was down.", customer)
    assert act.before["Credits of this payment"] == "0"
    assert act.after["Credits of this payment"] == "10,500"


def test_missed_event_is_put_into_the_inbox(lost: Payment, gateway: StripeGateway, clerk: Client) -> None:
    reconcile(gateway)
    finding = ReconciliationFinding.objects.get(kind="event_missed", theirs__type="checkout.session.completed")

    clerk.post(f"{FINDINGS}{finding.pk}/repair/", {"reason": "It was lost."})

    event = StripeEvent.objects.get(event_id=finding.stripe_id)
    assert event.state == "done"
    assert "customer_details" not in json.loads(event.body)["data"]["object"]


def test_accepted_finding_stays_accepted(lost: Payment, gateway: StripeGateway, clerk: Client) -> None:
    finding = find(gateway)

    page = clerk.post(f"{FINDINGS}{finding.pk}/accept/", {"reason": "A test of ours."}, follow=True).content.decode()
    reconcile(gateway)

    assert "Accepted." in page
    assert [one.state for one in ReconciliationFinding.objects.filter(kind="paid_not_granted")] == ["accepted"]
    assert AuditEntry.objects.get(action="finding.accept").reason == "A test of ours."


def test_ended_finding_offers_nothing(lost: Payment, gateway: StripeGateway, clerk: Client) -> None:
    finding = find(gateway)
    clerk.post(f"{FINDINGS}{finding.pk}/accept/", {"reason": "A test of ours."})

    page = clerk.get(f"{FINDINGS}{finding.pk}/change/").content.decode()
    again = clerk.post(f"{FINDINGS}{finding.pk}/repair/", {"reason": "Again"}, follow=True).content.decode()

    assert f"{FINDINGS}{finding.pk}/repair/" not in page
    assert "This finding has ended" in again
    assert not AuditEntry.objects.filter(action="finding.repair").exists()


def test_mismatched_payment_offers_grant_and_refund(
    stripe_sandbox: SandboxServer, lost: Payment, gateway: StripeGateway, clerk: Client
) -> None:
    Payment.objects.filter(pk=lost.pk).update(amount_minor=999)
    deliver_all(stripe_sandbox, gateway)
    finding = ReconciliationFinding.objects.get(kind="payment_mismatched")

    page = clerk.get(f"{FINDINGS}{finding.pk}/change/").content.decode()

    assert f"/admin/billing/payment/{lost.pk}/grant/" in page
    assert f"/admin/billing/payment/{lost.pk}/refund/" in page
    assert f"{FINDINGS}{finding.pk}/repair/" not in page


def test_stripe_that_is_down_changes_nothing(
    stripe_sandbox: SandboxServer, lost: Payment, customer: BillingCustomer, gateway: StripeGateway, clerk: Client
) -> None:
    finding = find(gateway)
    stripe_sandbox.control.fail_reads(percent=100)

    page = clerk.post(f"{FINDINGS}{finding.pk}/repair/", {"reason": "Try"}, follow=True).content.decode()

    assert "Nothing was changed" in page
    assert posted(customer) == 0


@pytest.mark.parametrize("act", ["repair", "accept"])
def test_who_only_looks_may_not_act(lost: Payment, gateway: StripeGateway, act: str) -> None:
    finding = find(gateway)
    reader = login(make_staff(*VIEWS))

    assert reader.get(f"{FINDINGS}{finding.pk}/change/").status_code == 200
    assert reader.post(f"{FINDINGS}{finding.pk}/{act}/", {"reason": "Because"}).status_code == 403
    assert reader.get(f"{RUNS}run-now/").status_code == 403


def test_runs_tell_what_they_compared(lost: Payment, gateway: StripeGateway, clerk: Client) -> None:
    find(gateway)
    run = ReconciliationRun.objects.get()

    assert "checkout sessions" in clerk.get(RUNS).content.decode()
    page = clerk.get(f"{RUNS}{run.pk}/change/").content.decode()

    assert "Paid at Stripe, not granted here: 1" in page
    assert "USD: 1,000 gross" in page


def test_new_run_is_asked_for_and_audited(clerk: Client, quiet_broker: list[str]) -> None:
    form = {"since_0": "2026-11-18", "since_1": "00:00", "until_0": "", "until_1": "", "repairs": "on"}

    page = clerk.post(f"{RUNS}run-now/", form, follow=True).content.decode()

    assert "A worker compares that window" in page
    assert quiet_broker == ["billing.reconcile_window"]
    assert AuditEntry.objects.get(action="reconciliation.start").after["repairs"] is True


def test_window_that_ends_before_it_begins_is_refused(clerk: Client, quiet_broker: list[str]) -> None:
    form = {"since_0": "2026-11-18", "since_1": "00:00", "until_0": "2026-11-17", "until_1": "00:00"}

    page = clerk.post(f"{RUNS}run-now/", form).content.decode()

    assert "The end must be later" in page
    assert not quiet_broker
