"""Refunds, disputes and warnings of fraud, from Stripe's event to the customer's balance and flags."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from billing.errors import CustomerFrozen, InsufficientCredits
from billing.kinds import EntryKind
from billing.models import (
    AuditEntry,
    BillingCustomer,
    CreditGrant,
    CustomerFlag,
    EventState,
    MoneyMovement,
    Payment,
    ReconciliationFinding,
    StripeEvent,
)
from billing.pricing import Collected
from billing.selectors.payments import CheckoutState, checkout_status
from billing.services.customers import unfreeze_customer
from billing.services.expiry import expire_lapsed_credits
from billing.services.payment_facts import PaymentFacts
from billing.services.payments import accept_mismatch, converge_payment
from billing.services.posting import Posting, post
from billing.tests.flows.refunding import Shop
from billing.tests.ledger.steps import assert_books_are_right, kinds_of, use
from billing.tests.shop import WEBHOOK_SECRET, deliver, make_pack, open_checkout, work_off_all
from billing.webhooks.dispatch import HANDLERS
from billing.webhooks.inbox import find_forgotten_events
from billing.webhooks.replay import replay_event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


def test_refund_takes_the_credits_that_it_paid_back(shop: Shop) -> None:
    shop.buy()

    shop.refund(300)

    assert shop.posted == 700
    assert kinds_of(shop.customer) == ["purchase", "refund"]
    payment = Payment.objects.get(pk=shop.payment.pk)
    assert (payment.refunded_minor, payment.given_back_minor, payment.state) == (300, 300, "paid")


def test_what_was_spent_of_a_refunded_purchase_is_a_debt_that_the_next_one_repays(shop: Shop) -> None:
    shop.buy()
    use(shop.customer, 900)

    shop.refund()

    assert shop.posted == -900
    with pytest.raises(InsufficientCredits):
        use(shop.customer, 1)
    shop.buy()
    assert shop.posted == 100


def test_money_that_never_left_comes_back_as_the_same_credits(shop: Shop) -> None:
    shop.buy()
    refund = shop.refund(status="pending")
    assert shop.posted == 0  # it counts from its creation

    shop.control.end_refund(refund, "failed")
    shop.hear()

    assert shop.posted == 1000
    assert kinds_of(shop.customer) == ["purchase", "refund", "refund_reversal"]
    assert CreditGrant.objects.get().remaining == 1000
    movements = MoneyMovement.objects.filter(payment=shop.payment).order_by("number")
    assert list(movements.values_list("collected_minor", "given_back_minor")) == [(1000, 0), (1000, 1000), (1000, 0)]


@pytest.mark.parametrize("expires_first", [True, False], ids=["expired, then refunded", "refunded, then expired"])
def test_expired_credits_count_as_taken_whichever_came_first(shop: Shop, expires_first: bool) -> None:
    shop.buy(lifetime_days=30)
    use(shop.customer, 200)
    later = timezone.now() + timedelta(days=31)

    if not expires_first:
        shop.refund()
        assert shop.posted == -200
    with time_machine.travel(later):
        expire_lapsed_credits(now=timezone.now())
        if expires_first:
            assert shop.posted == 0
            shop.refund()

        assert shop.posted == -200
        assert_books_are_right(shop.customer)


def test_credits_live_as_much_longer_as_their_money_was_away(shop: Shop) -> None:
    shop.buy(lifetime_days=10)
    lapses_at = CreditGrant.objects.get().expires_at
    assert lapses_at is not None
    refund = shop.refund(status="pending")

    with time_machine.travel(lapses_at + timedelta(days=2)):
        shop.control.end_refund(refund, "failed")
        for signed in shop.control.take_events(secret=WEBHOOK_SECRET):
            deliver(signed)
        work_off_all(shop.gateway)

        grant = CreditGrant.objects.get()
        assert grant.remaining == 1000
        assert grant.expires_at is not None
        assert grant.expires_at > timezone.now() + timedelta(days=8)


def test_debt_written_off_stands_again_when_its_money_comes_back(shop: Shop) -> None:
    shop.buy()
    use(shop.customer, 900)
    refund = shop.refund(status="pending")
    assert shop.posted == -900
    post(
        posting=Posting(
            customer_id=shop.customer.pk, kind=EntryKind.WRITE_OFF, amount=Decimal(900), key="staff:x", description="x"
        )
    )
    assert shop.posted == 0

    shop.control.end_refund(refund, "failed")
    shop.hear()

    assert shop.posted == 100  # as if neither refund nor forgiveness had been
    assert kinds_of(shop.customer)[-2:] == ["write_off", "refund_reversal"]


def test_dispute_flags_and_freezes_until_it_is_closed(shop: Shop) -> None:
    shop.buy()

    dispute = shop.control.open_dispute(shop.session)["id"]
    shop.hear()
    assert (shop.posted, shop.is_flagged, shop.is_frozen) == (0, True, True)
    with pytest.raises(CustomerFrozen):
        use(shop.customer, 1)

    shop.control.close_dispute(dispute, "won")
    shop.hear()
    assert (shop.posted, shop.is_flagged, shop.is_frozen) == (1000, False, False)


def test_lost_dispute_ends_the_freeze_and_keeps_the_credits_taken(shop: Shop) -> None:
    shop.buy()
    dispute = shop.control.open_dispute(shop.session)["id"]

    shop.control.close_dispute(dispute, "lost")
    shop.hear()

    assert (shop.posted, shop.is_frozen) == (0, False)


def test_freeze_that_staff_have_lifted_stays_lifted(shop: Shop) -> None:
    shop.buy()
    dispute = shop.control.open_dispute(shop.session)["id"]
    shop.hear()
    staff = User.objects.create_superuser("staff@example.com", "correct horse battery")

    unfreeze_customer(customer_id=shop.customer.pk, reason="Spoke with them", actor=staff)
    shop.control.reinstate_funds(dispute)
    shop.hear()

    assert not shop.is_frozen
    flag = CustomerFlag.objects.get(cause=f"dispute:{dispute}")
    assert (flag.ended_by, flag.ended_reason) == (staff, "Spoke with them")


def test_freezing_on_disputes_can_be_turned_off(shop: Shop, settings: Settings) -> None:
    settings.FREEZE_ON_DISPUTE = False
    shop.buy()

    shop.control.open_dispute(shop.session)
    shop.hear()

    assert (shop.is_flagged, shop.is_frozen) == (True, False)


def test_inquiry_only_flags_and_an_escalated_one_freezes(shop: Shop) -> None:
    shop.buy()
    dispute = shop.control.open_dispute(shop.session, inquiry=True)["id"]
    shop.hear()
    assert (shop.posted, shop.is_flagged, shop.is_frozen) == (1000, True, False)

    shop.control.escalate_inquiry(dispute)
    shop.hear()

    assert (shop.posted, shop.is_flagged, shop.is_frozen) == (0, True, True)


@pytest.mark.parametrize(("policy", "posted"), [("created", 0), ("funds_withdrawn", 1000)])
def test_stricter_setting_takes_back_when_a_dispute_is_opened(
    shop: Shop, settings: Settings, policy: str, posted: int
) -> None:
    settings.DISPUTE_TAKES_BACK_ON = policy
    shop.buy()

    dispute = shop.control.open_dispute(shop.session, withdraws=False)["id"]
    shop.hear()
    assert shop.posted == posted

    shop.control.withdraw_funds(dispute)
    shop.hear()
    assert shop.posted == 0
    shop.control.close_dispute(dispute, "won")
    shop.hear()
    assert shop.posted == 1000


def test_fraud_warning_freezes_until_the_payment_is_refunded(shop: Shop) -> None:
    shop.buy()
    shop.control.warn_of_fraud(shop.session)
    shop.hear()
    assert (shop.posted, shop.is_flagged, shop.is_frozen) == (1000, True, True)

    shop.refund(400)
    assert shop.is_frozen
    shop.refund()

    assert (shop.posted, shop.is_flagged, shop.is_frozen) == (0, False, False)


def test_one_cause_that_ends_does_not_lift_what_another_froze(shop: Shop) -> None:
    shop.buy()
    shop.control.warn_of_fraud(shop.session)
    dispute = shop.control.open_dispute(shop.session)["id"]
    shop.hear()

    shop.control.close_dispute(dispute, "won")
    shop.hear()
    assert shop.is_frozen

    unfreeze_customer(customer_id=shop.customer.pk, reason="Card was theirs")
    assert (shop.is_flagged, shop.is_frozen) == (False, False)


def test_deleted_customer_keeps_credits_and_gets_a_new_one_at_the_next_purchase(shop: Shop) -> None:
    shop.buy()
    first = BillingCustomer.objects.get(pk=shop.customer.pk).stripe_customer_id
    assert first is not None

    shop.control.delete_customer(first)
    shop.hear()
    gone = BillingCustomer.objects.get(pk=shop.customer.pk)
    assert (gone.stripe_customer_id, gone.former_stripe_customer_ids, shop.posted) == (None, [first], 1000)

    earlier = shop.session
    shop.customer.refresh_from_db()
    shop.buy()
    assert BillingCustomer.objects.get(pk=shop.customer.pk).stripe_customer_id not in (None, first)
    shop.control.refund_payment(earlier)
    shop.hear()
    assert shop.posted == 1000


def test_refund_of_a_payment_that_is_not_ours_changes_nothing_and_becomes_a_finding(
    shop: Shop,
) -> None:
    [foreign] = shop.control.fill_payments([{"reference": "order-of-somebody-else"}])
    shop.control.refund_payment(foreign["charge"])
    shop.hear()
    told = StripeEvent.objects.filter(type__in=HANDLERS)
    assert set(told.values_list("state", flat=True)) == {EventState.PARKED}

    find_forgotten_events(now=timezone.now() + timedelta(hours=73))

    findings = ReconciliationFinding.objects.filter(kind="event_unmatched", state="open")
    assert findings.count() == StripeEvent.objects.filter(state=EventState.DEAD).count() > 0


def test_finding_of_a_dead_event_ends_when_its_replay_succeeds(shop: Shop, settings: Settings) -> None:
    settings.WEBHOOK_MAX_TRIES = 1
    shop.buy()
    shop.control.open_dispute(shop.session)
    shop.control.add_fault("error", method="GET", path="/v1/disputes/", times=20)
    shop.hear()
    findings = ReconciliationFinding.objects.filter(kind="event_failed", state="open")
    assert (findings.count(), shop.posted) == (2, 1000)

    shop.control.clear_faults()
    for event in StripeEvent.objects.filter(state=EventState.DEAD):
        replay_event(event_id=event.event_id)
    shop.hear()

    assert (findings.count(), shop.posted) == (0, 0)


@pytest.fixture
def underpaid(shop: Shop) -> Payment:
    """A payment of which something else was paid than was offered."""
    pack = make_pack(credits=Decimal(1000), bonus_credits=Decimal(0))
    started = open_checkout(customer=shop.customer, pack=pack, gateway=shop.gateway)
    now = timezone.now()
    with transaction.atomic():
        converge_payment(
            facts=[
                PaymentFacts(
                    livemode=False,
                    told_at=now,
                    payment_reference=started.payment.public_id,
                    checkout_session_id=started.session_id,
                    collected=Collected(amount_minor=900, currency="usd", subtotal_minor=900),
                    collected_at=now,
                )
            ]
        )
    return started.payment


def test_mismatch_is_granted_by_staff_with_one_click(shop: Shop, underpaid: Payment) -> None:
    staff = User.objects.create_superuser("staff@example.com", "correct horse battery")
    finding = ReconciliationFinding.objects.get(kind="payment_mismatched")
    assert (finding.severity, finding.state, finding.payment) == ("critical", "open", underpaid)
    assert (shop.posted, shop.is_flagged) == (0, True)

    accept_mismatch(payment_id=underpaid.pk, actor=staff, reason="We had changed the price", address="192.0.2.1")

    finding.refresh_from_db()
    payment = Payment.objects.get(pk=underpaid.pk)
    assert (shop.posted, shop.is_flagged, payment.state) == (1000, False, "paid")
    assert finding.state == "repaired"
    assert AuditEntry.objects.get().reason == "We had changed the price"
    assert_books_are_right(shop.customer)
    with pytest.raises(RuntimeError, match="not under review"):
        accept_mismatch(payment_id=underpaid.pk, actor=staff, reason="Again")
    assert shop.posted == 1000


def test_buyer_of_a_mismatch_that_was_refunded_is_not_promised_credits(shop: Shop, underpaid: Payment) -> None:
    payment = Payment.objects.get(pk=underpaid.pk)
    session = payment.checkout_session_id or ""
    assert checkout_status(customer=shop.customer, session_id=session).state is CheckoutState.REVIEW  # type: ignore[union-attr]

    payment.refunded_minor = payment.given_back_minor = 900
    payment.mismatch = ""
    payment.save()

    assert checkout_status(customer=shop.customer, session_id=session).state is CheckoutState.REFUNDED  # type: ignore[union-attr]
