"""Customers with automatic top-up, set up by the services as people do it on the pages."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.kinds import EntryKind
from billing.models import AutoTopUp, BillingCustomer, CreditBalance, CreditPack, LedgerEntry, Payment
from billing.selectors.top_ups import attempts_of
from billing.services.debits import debit_credits
from billing.services.top_ups.cards import save_missing_cards
from billing.services.top_ups.consenting import Choice, give_consent, propose
from billing.services.top_ups.running import run_due_top_ups
from billing.tests.services.money_back import deliver_all
from billing.tests.shop import open_checkout
from sandbox.stripe.server import SandboxServer

THRESHOLD = Decimal(1000)
DECLINED, ASKS, PAYS = "4000000000000002", "4000002760003184", "4242424242424242"


class Shopper:
    """A customer who bought the pack (10,500 credits for $10.00), had the card saved and turned top-up on."""

    def __init__(
        self,
        *,
        sandbox: SandboxServer,
        gateway: StripeGateway,
        customer: BillingCustomer,
        pack: CreditPack,
        ceiling_minor: int = 5000,
    ) -> None:
        self.sandbox, self.gateway, self.customer, self.pack = sandbox, gateway, customer, pack
        self.ceiling_minor = ceiling_minor
        self._spent = 0
        self.bought = self.buy()
        self.consent()

    def buy(self, *, card: str = PAYS, saves_card: bool = True) -> Payment:
        """Buy the pack at a checkout, by default one that saves the card."""
        started = open_checkout(customer=self.customer, pack=self.pack, gateway=self.gateway, saves_card=saves_card)
        self.sandbox.control.pay_session(started.session_id, card=card)
        deliver_all(self.sandbox, self.gateway)
        save_missing_cards(gateway=self.gateway, now=timezone.now())
        self.customer.refresh_from_db()
        return Payment.objects.get(pk=started.payment.pk)

    def consent(self) -> AutoTopUp:
        """Read the words as they are now, and agree."""
        choice = Choice(pack=self.pack.slug, threshold=THRESHOLD, ceiling_minor=self.ceiling_minor)
        digest = propose(customer=self.customer, choice=choice).wording.digest
        return give_consent(customer=self.customer, choice=choice, digest=digest)

    def spend(self, amount: int | Decimal, *, key: str = "") -> None:
        """Spend credits as a call of the API does."""
        self._spent += 1
        debit_credits(
            customer_id=self.customer.pk, amount=amount, key=key or f"spend-{self._spent}", placed_by="system"
        )

    def spend_down_to(self, credits: int) -> None:
        """Spend all but so much."""
        self.spend(self.balance.posted - credits)

    def run(self) -> int:
        """What the sweeper does."""
        return run_due_top_ups(gateway=self.gateway, now=timezone.now())

    def deliver(self) -> None:
        """Let Stripe's events arrive."""
        deliver_all(self.sandbox, self.gateway)

    def change_card(self, card: str) -> None:
        """Let the saved card behave like another one from now on."""
        self.sandbox.control.change_card(self.top_up.payment_method_id, card=card)

    @property
    def balance(self) -> CreditBalance:
        return CreditBalance.objects.get(pk=self.customer.pk)

    @property
    def top_up(self) -> AutoTopUp:
        return AutoTopUp.objects.get(pk=self.customer.pk)

    @property
    def state(self) -> tuple[str, str]:
        """The state, and why it is not on."""
        top_up = self.top_up
        return str(top_up.state), str(top_up.cause)

    @property
    def attempts(self) -> list[Payment]:
        """All attempts, the oldest first."""
        return list(attempts_of(customer_id=self.customer.pk).order_by("pk"))

    @property
    def due_in(self) -> timedelta | None:
        """In how much time the next decision is due."""
        due_at = self.balance.top_up_due_at
        return None if due_at is None else due_at - timezone.now()

    def charges(self) -> list[int]:
        """The money that Stripe took without the customer, by charge."""
        intents = {
            intent["id"]
            for intent in self.sandbox.control.list_objects("payment_intent")
            if intent["metadata"].get("payment_id") in {attempt.public_id for attempt in self.attempts}
        }
        return [
            charge["amount"]
            for charge in self.sandbox.control.list_objects("charge")
            if charge["payment_intent"] in intents and charge["paid"]
        ]

    def topped_up(self) -> int:
        """How many top-ups the ledger has."""
        return LedgerEntry.objects.filter(customer=self.customer, kind=EntryKind.AUTO_TOP_UP).count()


MakeShopper = Callable[..., Shopper]
