"""A customer of the sandbox who buys a pack, and whose money goes back."""

from decimal import Decimal

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditBalance, Payment
from billing.tests.ledger.steps import assert_books_are_right
from billing.tests.shop import WEBHOOK_SECRET, deliver, make_pack, open_checkout, work_off_all
from sandbox.stripe.control import Control
from sandbox.stripe.giving_back.refunding import RefundStart
from sandbox.stripe.server import SandboxServer


class Shop:
    """One customer who buys 1,000 credits for $10.00, and Stripe's levers."""

    def __init__(self, sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer) -> None:
        self.control: Control = sandbox.control
        self.gateway, self.customer = gateway, customer
        self.session, self.payment = "", Payment()

    def buy(self, *, lifetime_days: int | None = None) -> Payment:
        pack = make_pack(credits=Decimal(1000), bonus_credits=Decimal(0), lifetime_days=lifetime_days)
        started = open_checkout(customer=self.customer, pack=pack, gateway=self.gateway)
        self.session, self.payment = started.session_id, started.payment
        self.control.pay_session(started.session_id)
        self.hear()
        return started.payment

    def hear(self) -> None:
        """Let our webhook hear all that has happened since, and work it off."""
        for signed in self.control.take_events(secret=WEBHOOK_SECRET):
            assert deliver(signed) == 200
        work_off_all(self.gateway)
        assert_books_are_right(self.customer)

    def refund(self, amount: int | None = None, *, status: RefundStart | None = None) -> str:
        made = self.control.refund_payment(self.session, amount=amount, status=status)
        self.hear()
        return str(made["id"])

    @property
    def balance(self) -> CreditBalance:
        return CreditBalance.objects.get(pk=self.customer.pk)

    @property
    def posted(self) -> Decimal:
        return Decimal(self.balance.posted)

    @property
    def is_flagged(self) -> bool:
        return BillingCustomer.objects.get(pk=self.customer.pk).flagged_at is not None

    @property
    def is_frozen(self) -> bool:
        return self.balance.frozen_at is not None
