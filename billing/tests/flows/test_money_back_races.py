"""Several at once at one payment whose money goes back: workers, spenders and staff, on connections of their own."""

import random
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.errors import CustomerFrozen
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditBalance, CustomerFlag, LedgerEntry, MoneyMovement, StripeEvent
from billing.services.customers import freeze_customer, unfreeze_customer
from billing.services.flags import end_flag, raise_flag
from billing.services.payments import accept_mismatch
from billing.tests.flows.told_facts import collected, converge, refunded
from billing.tests.ledger.steps import assert_books_are_right, give, use
from billing.tests.shop import WEBHOOK_SECRET, deliver, make_customer, make_pack, open_checkout
from billing.tests.threads import at_once
from billing.webhooks.inbox import work_off_due_events
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quiet_broker")]

WORKERS, DEBITS = 4, 15


def test_workers_spenders_and_staff_at_one_payment(stripe_sandbox: SandboxServer, gateway: StripeGateway) -> None:
    customer, control = make_customer(), stripe_sandbox.control
    give(customer, 100)
    pack = make_pack(credits=Decimal(1000), bonus_credits=Decimal(0))
    session = open_checkout(customer=customer, pack=pack, gateway=gateway).session_id
    control.pay_session(session)
    refund = control.refund_payment(session, amount=300, status="pending")["id"]
    control.refund_payment(session, amount=200)
    control.open_dispute(session, amount=100)
    control.warn_of_fraud(session)
    control.end_refund(refund, "failed")
    told = list(control.take_events(secret=WEBHOOK_SECRET))
    random.Random(20_261_120).shuffle(told)
    for signed in told:
        assert deliver(signed) == 200

    def spend() -> int:
        spent = 0
        for _ in range(DEBITS):
            try:
                use(customer, 1)
                spent += 1
            except CustomerFrozen:
                continue
        return spent

    def freeze_and_free() -> None:
        for _ in range(5):
            freeze_customer(customer_id=customer.pk, reason="Race")
            unfreeze_customer(customer_id=customer.pk, reason="Race")

    workers: Sequence[Callable[[], object]] = [lambda: work_off_due_events(gateway=gateway)] * WORKERS
    spent = at_once(*workers, spend, spend, freeze_and_free)[WORKERS : WORKERS + 2]

    failures = StripeEvent.objects.exclude(state="done", tries=1, traceback="")
    assert list(failures.exclude(state="parked").values_list("type", "state", "traceback")) == []
    StripeEvent.objects.filter(state="pending").update(next_try_at=timezone.now())
    work_off_due_events(gateway=gateway)
    assert CreditBalance.objects.get(pk=customer.pk).posted == 100 + 700 - sum(int(str(one)) for one in spent)
    assert_books_are_right(customer)


def test_staff_grant_a_mismatch_while_its_money_goes_back(gateway: StripeGateway) -> None:
    customer = make_customer()
    staff = User.objects.create_superuser("staff@example.com", "correct horse battery")
    pack = make_pack(credits=Decimal(1000), bonus_credits=Decimal(0))
    payment = open_checkout(customer=customer, pack=pack, gateway=gateway).payment

    def hear_of_refund(number: int) -> Callable[[], None]:
        told = refunded(f"re_{number}", 90)

        def hear() -> None:
            for _ in range(3):
                converge(payment, told)

        return hear

    def grant() -> None:
        accept_mismatch(payment_id=payment.pk, actor=staff, reason="We had changed the price")

    paid = collected(payment, 900)
    converge(payment, paid)
    at_once(hear_of_refund(1), grant, hear_of_refund(2), lambda: converge(payment, paid), hear_of_refund(3))

    assert CreditBalance.objects.get(pk=customer.pk).posted == 700
    numbers = list(MoneyMovement.objects.order_by("number").values_list("number", "given_back_minor"))
    assert numbers == [(1, 0), (2, 90), (3, 180), (4, 270)]
    assert not CustomerFlag.objects.filter(ended_at__isnull=True).exists()
    assert_books_are_right(customer)


def test_causes_that_come_and_go_at_once_leave_what_stands(customer: BillingCustomer) -> None:
    def come_and_go(number: int, *, stays: bool) -> Callable[[], None]:
        cause = f"dispute:dp_{number}"

        def act() -> None:
            for _ in range(5):
                with transaction.atomic():
                    raise_flag(customer_id=customer.pk, cause=cause, reason="Race", freezes=True)
                with transaction.atomic():
                    end_flag(customer_id=customer.pk, cause=cause, reason="Race")
            if stays:
                with transaction.atomic():
                    raise_flag(customer_id=customer.pk, cause=cause, reason="Stays", freezes=True)

        return act

    at_once(
        *(come_and_go(number % 3, stays=False) for number in range(5)),
        come_and_go(3, stays=True),
    )

    standing = CustomerFlag.objects.filter(customer=customer, ended_at__isnull=True)
    assert list(standing.values_list("cause", flat=True)) == ["dispute:dp_3"]
    balance = CreditBalance.objects.get(pk=customer.pk)
    customer.refresh_from_db()
    assert (balance.frozen_reason, customer.flag_reason) == ("Stays", "Stays")
    assert not LedgerEntry.objects.exists()
    assert_books_are_right(customer)
