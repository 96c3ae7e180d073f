"""A row of everything that has a page in the admin, so that no page goes untried for want of one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from accounts.api_keys import issue_key
from accounts.models import User
from billing.kinds import EntryKind
from billing.ledger import balances
from billing.models import (
    Adjustment,
    AutoTopUp,
    CustomerNote,
    DisputeMovement,
    FraudWarning,
    MailState,
    MoneyMovement,
    OutgoingMail,
    PaymentDispute,
    PaymentRefund,
    ReconciliationRun,
    RefundRequest,
    RunKind,
    RunTrigger,
    Severity,
    StaffAlarm,
    TopUpConsent,
    WebhookAttempt,
)
from billing.services.audit import record_audit
from billing.services.findings import raise_finding
from billing.services.flags import raise_flag
from billing.services.posting import Posting, post
from billing.tests.admin.conftest import World
from billing.tests.integrator import message_for, subscribe
from billing.tests.plan_subscriptions import subscribe as subscribe_to_plan
from billing.tests.plan_world import make_plan
from billing.tests.prices import make_operation_price, make_price
from billing.tests.shop import make_pack
from billing.tests.views.test_invoices import make_invoice
from billing.tests.vouchers import make_batch, redeem


def add_rows_of_everything(world: World) -> None:
    """What the small world lacks: money back, wishes of staff, flags, findings, and what people log in with."""
    _give_money_back(world)
    _let_staff_ask(world, User.objects.create_user("requester@example.com", is_staff=True))
    _let_the_reconciliation_find(world)
    _go_into_debt(world)
    _top_up_automatically(world)
    _let_programs_work(world)
    _redeem_a_voucher(world)
    _let_integrators_listen(world)
    _write_a_mail(world)
    subscribe_to_plan(world.customer, make_plan("pro"))
    make_invoice(world.customer, "A1B2C3-0001")
    make_price()
    make_operation_price()
    person = world.other.user
    assert person is not None
    EmailAddress.objects.create(user=person, email=person.email, primary=True, verified=False)
    TOTP.activate(person, generate_totp_secret())
    SocialAccount.objects.create(user=person, provider="google", uid="1", extra_data={"name": "Bob"})
    UserSession.objects.create(user=person, ip="203.0.113.9", user_agent="A browser", session_key="k" * 32)
    Group.objects.get_or_create(name="Support")
    with transaction.atomic():
        record_audit(actor=None, action="customer.freeze", target=world.customer, customer=world.customer)


def _give_money_back(world: World) -> None:
    now, payment = timezone.now(), world.payment
    PaymentRefund.objects.create(
        refund_id="re_ada", payment=payment, amount_minor=300, currency="usd", status="succeeded", refunded_at=now
    )
    dispute = PaymentDispute.objects.create(
        dispute_id="dp_ada",
        payment=payment,
        amount_minor=700,
        currency="usd",
        reason="fraudulent",
        status="needs_response",
        status_read_at=now,
        opened_at=now,
    )
    DisputeMovement.objects.create(
        balance_transaction_id="txn_ada", dispute=dispute, amount_minor=-700, occurred_at=now
    )
    FraudWarning.objects.create(warning_id="issfr_ada", payment=payment, fraud_type="stolen_card", warned_at=now)
    MoneyMovement.objects.create(
        payment=payment,
        number=1,
        collected_minor=1000,
        tax_minor=0,
        given_back_minor=0,
        currency="usd",
        occurred_at=now,
        created_at=now,
    )
    with transaction.atomic():
        raise_flag(customer_id=world.customer.pk, cause="dispute:dp_ada", reason="Disputed: dp_ada", freezes=True)
        raise_flag(customer_id=world.customer.pk, cause="payment:pay_x", reason="Paid another amount", freezes=False)


def _let_staff_ask(world: World, person: User) -> None:
    now = timezone.now()
    wish = {
        "requested_by": person,
        "requested_at": now,
        "reason_code": "goodwill",
        "note": "Sorry",
        "needs_approval": True,
        "decide_until": now + timedelta(hours=24),
    }
    Adjustment.objects.create(customer=world.customer, amount=Decimal(100_000), form_key="adjust-1", **wish)
    RefundRequest.objects.create(
        payment=world.payment,
        amount_minor=500,
        currency="usd",
        form_key="refund-1",
        stripe_idempotency_key="refund-request-1",
        **wish,
    )
    CustomerNote.objects.create(customer=world.customer, author=person, text="Calls every Monday.")


def _let_the_reconciliation_find(world: World) -> None:
    run = ReconciliationRun.objects.create(
        kind=RunKind.STRIPE, trigger=RunTrigger.COMMAND, started_at=timezone.now(), ended_at=timezone.now()
    )
    raise_finding(
        kind="paid_not_granted",
        severity=Severity.HIGH,
        subject="pi_ada",
        detail="Stripe has collected $10.00 that the ledger does not know.",
        customer=world.customer,
        payment=world.payment,
        stripe_id="pi_ada",
        ours={"paid": None},
        theirs={"paid": "1000"},
        suggested_repair="Converge the payment.",
        run=run,
    )


def _let_integrators_listen(world: World) -> None:
    """An endpoint with a message that failed, and an alarm about it."""
    now = timezone.now()
    delivery = message_for(subscribe(world.customer, "https://hooks.example.com/in").endpoint)
    WebhookAttempt.objects.create(
        delivery=delivery, attempted_at=now, error="It did not answer in time.", duration_ms=10_000, is_success=False
    )
    StaffAlarm.objects.create(kind="deliveries_failed", since=now, last_seen_at=now, detail="Five failed.")


def _let_programs_work(world: World) -> None:
    """A key, usage, a correction of it and a summary; the apps above billing are not imported here."""
    now, person = timezone.now(), world.customer.user
    assert person is not None
    key = issue_key(user=person, name="Robot", scopes=["read", "spend"]).key
    used = apps.get_model("usage.UsageEvent").objects.create(
        customer=world.customer,
        event_id="call-1",
        api_key=key,
        model="small",
        basis="reported",
        occurred_at=now,
        created_at=now,
    )
    price = make_price(model="corrected")
    correction = apps.get_model("usage.UsageCorrection").objects.create(
        model="small", since=now - timedelta(days=1), until=now, price=price, reason="Wrong", completed_at=now
    )
    apps.get_model("usage.CorrectedUsage").objects.create(
        correction=correction, usage_event=used, amount=world.usage.amount, entry=world.usage
    )
    apps.get_model("usage.CommitSummary").objects.create(
        customer=world.customer, fingerprint="f" * 64, title="Add a file", model="small", usage_event=used
    )


def _redeem_a_voucher(world: World) -> None:
    """A batch that waits, first in its list, and a voucher that was used."""
    person = world.customer.user
    assert person is not None
    EmailAddress.objects.create(user=person, email=person.email, primary=True, verified=True)
    make_batch(name="Waits", credits=Decimal(100_000))
    [code] = make_batch(name="Fair").codes
    redeem(world.customer, code)


def _write_a_mail(world: World) -> None:
    """One that could not be sent; the notices are there, because something has happened."""
    OutgoingMail.objects.create(
        customer=world.customer, to="ada@example.com", kind="alarm", subject="Look", text="Late.", state=MailState.DEAD
    )


def _top_up_automatically(world: World) -> None:
    """The second customer's top-up, which is on; nobody's card is charged for it."""
    now, pack = timezone.now(), make_pack(name="Topped up")
    consent = TopUpConsent.objects.create(
        customer=world.other,
        given_at=now,
        wording="I allow my Visa to be charged.",
        language="en",
        pack=pack,
        description=pack.name,
        credits=pack.credits,
        bonus_credits=pack.bonus_credits,
        amount_minor=pack.price_minor,
        currency=pack.currency,
        threshold=Decimal(100),
        ceiling_minor=5000,
        stripe_customer_id="cus_bob",
        payment_method_id="pm_bob",
        card="Visa ending in 4242",
    )
    AutoTopUp.objects.create(
        customer=world.other, state="on", cause="", consent=consent, payment_method_id="pm_bob", card_brand="visa"
    )
    with transaction.atomic():
        balances.arm_top_up(customer_id=world.other.pk, below=consent.threshold)


def _go_into_debt(world: World) -> None:
    """A claw-back of more than is there leaves an uncovered part."""
    post(
        posting=Posting(
            customer_id=world.other.pk, kind=EntryKind.REFUND, amount=Decimal(-50), key="payment:0:1", payment_id=None
        )
    )
