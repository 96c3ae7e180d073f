"""What was paid, compared both ways: each difference is a finding of its kind, and repaired where convergence can."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.models import (
    BillingCustomer,
    CreditPack,
    FindingState,
    Payment,
    ReconciliationFinding,
    RunState,
    Severity,
    StripeEvent,
)
from billing.services.findings import accept_finding
from billing.services.reconciliation.shapes import GRACE
from billing.tests.services.money_back import make_staff, posted
from billing.tests.services.reconciliation.running import open_kinds, reconcile
from billing.tests.shop import credited, make_customer, open_checkout
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


def finding_of(kind: str) -> ReconciliationFinding:
    return ReconciliationFinding.objects.get(kind=kind)


def test_what_webhooks_told_is_no_finding(paid: Payment, gateway: StripeGateway) -> None:
    run = reconcile(gateway)

    assert run.state == RunState.CLEAN
    assert not ReconciliationFinding.objects.exists()
    assert run.counts["objects"]["checkout_sessions"] == 1
    assert run.counts["balance"] == {"usd": {"gross_minor": 1000, "fee_minor": 59, "net_minor": 941}}


def test_payment_without_its_webhook_is_found_and_not_touched(
    lost: Payment, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    run = reconcile(gateway)

    finding = finding_of("paid_not_granted")
    assert run.state == RunState.FINDINGS
    assert (finding.payment, finding.customer, finding.severity) == (lost, customer, Severity.HIGH)
    assert finding.theirs["amount_minor"] == 1000
    assert finding.ours["state"] == "pending"
    assert posted(customer) == 0


def test_repair_brings_the_credits_and_ends_the_finding(
    lost: Payment, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    run = reconcile(gateway, repairs=True)

    assert run.state == RunState.REPAIRED
    assert posted(customer) == 10_500
    assert finding_of("paid_not_granted").state == FindingState.REPAIRED
    assert reconcile(gateway, repairs=True).state == RunState.CLEAN
    assert credited(lost).entries == 1


def test_webhook_after_the_repair_changes_nothing(
    lost: Payment, deliver: Callable[[], None], gateway: StripeGateway
) -> None:
    reconcile(gateway, repairs=True)
    events = StripeEvent.objects.count()

    deliver()

    assert credited(lost).entries == 1
    assert StripeEvent.objects.filter(type="checkout.session.completed").count() == 1
    assert StripeEvent.objects.count() > events  # those that nobody reads


def test_payment_whose_webhook_may_be_on_its_way_is_no_finding(lost: Payment, gateway: StripeGateway) -> None:
    assert reconcile(gateway, grace=GRACE).state == RunState.CLEAN
    assert reconcile(gateway, grace=timedelta(0)).state == RunState.FINDINGS


def test_session_whose_id_was_never_recorded_is_found_by_our_own_id(
    lost: Payment, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    session_id = lost.checkout_session_id
    Payment.objects.update(checkout_session_id=None)

    reconcile(gateway, repairs=True)

    lost.refresh_from_db()
    assert lost.checkout_session_id == session_id
    assert posted(customer) == 10_500


def test_payment_for_nothing_of_ours_is_a_finding_without_effect(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, paid: Payment
) -> None:
    stripe_sandbox.control.fill_payments([{"reference": "pay_nobody"}])

    reconcile(gateway, repairs=True)

    finding = finding_of("payment_not_ours")
    assert (finding.state, finding.severity, finding.payment) == (FindingState.OPEN, Severity.HIGH, None)
    assert "pay_nobody" in finding.detail


def test_second_payment_of_one_purchase_is_a_finding(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, paid: Payment, customer: BillingCustomer
) -> None:
    stripe_sandbox.control.fill_payments([{"reference": paid.public_id, "customer": customer.stripe_customer_id}])

    reconcile(gateway, repairs=True)

    assert open_kinds() == ["invoice_differs", "payment_contradicted"]  # each purchase has its receipt
    assert posted(customer) == 10_500


def test_checkout_that_expired_unheard_is_closed(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, opened: Payment
) -> None:
    stripe_sandbox.control.expire_session(opened.checkout_session_id or "")

    reconcile(gateway)
    assert open_kinds() == ["checkout_state_differs"]
    reconcile(gateway, repairs=True)

    opened.refresh_from_db()
    assert opened.state == "expired"


def test_bank_debit_that_failed_unheard_fails(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, opened: Payment
) -> None:
    stripe_sandbox.control.pay_session(opened.checkout_session_id or "", method="bank_debit")
    stripe_sandbox.control.settle_delayed(opened.checkout_session_id or "", succeed=False)

    reconcile(gateway, repairs=True)

    opened.refresh_from_db()
    assert opened.state == "failed"


def test_granted_and_unpaid_is_critical(opened: Payment, gateway: StripeGateway) -> None:
    Payment.objects.update(paid_at=timezone.now(), paid_amount_minor=1000, paid_currency="usd")

    reconcile(gateway, repairs=True)

    assert open_kinds() == ["granted_not_paid"]
    assert finding_of("granted_not_paid").severity == Severity.CRITICAL


def test_payment_that_stripe_does_not_know_is_a_finding(paid: Payment, gateway: StripeGateway) -> None:
    Payment.objects.update(checkout_session_id="cs_test_gone", payment_intent_id="pi_gone", charge_id="ch_gone")

    reconcile(gateway, repairs=True)

    assert "payment_missing" in open_kinds()
    assert finding_of("payment_missing").severity == Severity.CRITICAL


def test_open_checkout_that_stripe_does_not_know_matters_little(opened: Payment, gateway: StripeGateway) -> None:
    Payment.objects.update(checkout_session_id="cs_test_gone")

    reconcile(gateway)

    assert finding_of("payment_missing").severity == Severity.LOW


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"paid_amount_minor": 900}, "amount_differs"), ({"paid_currency": "eur"}, "currency_differs")],
)
def test_recorded_money_that_differs_is_read_again(
    paid: Payment, gateway: StripeGateway, change: dict[str, object], kind: str
) -> None:
    Payment.objects.update(**change)

    reconcile(gateway)
    assert open_kinds() == [kind, "invoice_differs"]
    reconcile(gateway, repairs=True)

    paid.refresh_from_db()
    assert (paid.paid_amount_minor, paid.paid_currency) == (1000, "usd")
    assert finding_of(kind).state == FindingState.REPAIRED
    assert reconcile(gateway).state == RunState.CLEAN
    assert finding_of("invoice_differs").state == FindingState.GONE


def test_invoice_of_another_payment_is_a_finding(paid: Payment, gateway: StripeGateway) -> None:
    Payment.objects.update(invoice_id="in_other")

    reconcile(gateway, repairs=True)

    assert open_kinds() == ["invoice_differs"]


def test_mismatch_stays_a_finding_until_staff_decide(
    lost: Payment, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    Payment.objects.update(amount_minor=999)

    first = reconcile(gateway, repairs=True)
    second = reconcile(gateway, repairs=True)

    assert (first.state, second.state) == (RunState.FINDINGS, RunState.FINDINGS)
    assert open_kinds() == ["payment_mismatched"]
    assert (first.counts["new"] > 0, second.counts["new"]) == (True, 0)
    assert posted(customer) == 0


def test_same_thing_is_one_finding_in_every_run(lost: Payment, gateway: StripeGateway) -> None:
    reconcile(gateway)
    again = reconcile(gateway)

    assert again.counts["new"] == 0
    assert ReconciliationFinding.objects.filter(kind="paid_not_granted").count() == 1
    assert finding_of("paid_not_granted").last_run == again


def test_what_webhooks_settle_later_is_gone(lost: Payment, deliver: Callable[[], None], gateway: StripeGateway) -> None:
    reconcile(gateway)
    deliver()

    run = reconcile(gateway)

    assert run.state == RunState.CLEAN
    assert set(ReconciliationFinding.objects.values_list("state", flat=True)) == {FindingState.GONE}


def test_run_of_another_window_ends_nothing(lost: Payment, deliver: Callable[[], None], gateway: StripeGateway) -> None:
    reconcile(gateway)
    deliver()

    now = timezone.now()
    reconcile(gateway, since=now - timedelta(days=3), until=now - timedelta(days=2))

    assert finding_of("paid_not_granted").state == FindingState.OPEN


def test_accepted_finding_is_not_raised_again(lost: Payment, gateway: StripeGateway) -> None:
    reconcile(gateway)
    accept_finding(finding=finding_of("paid_not_granted"), actor=make_staff(), reason="It is known.")

    run = reconcile(gateway)

    assert "paid_not_granted" not in run.counts["findings"]
    assert finding_of("paid_not_granted").state == FindingState.ACCEPTED


def test_run_for_one_customer_leaves_the_others(
    lost: Payment, customer: BillingCustomer, stripe_sandbox: SandboxServer, gateway: StripeGateway, pack: CreditPack
) -> None:
    other = make_customer()
    started = open_checkout(customer=other, pack=pack, gateway=gateway)
    stripe_sandbox.control.pay_session(started.session_id)
    stripe_sandbox.control.refund_payment(lost.checkout_session_id or "", amount=500)
    customer.refresh_from_db()

    run = reconcile(gateway, repairs=True, customer=customer)

    assert run.state == RunState.REPAIRED
    assert (posted(customer), posted(other)) == (5250, 0)
    assert set(ReconciliationFinding.objects.values_list("payment", flat=True)) == {lost.pk}
    assert reconcile(gateway, customer=customer).state == RunState.CLEAN
