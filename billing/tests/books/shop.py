"""A customer on the real database whose payments converge from facts as Stripe would tell them."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from billing.gateway.facts import DisputeFacts, MovementFacts, RefundFacts
from billing.kinds import EntryKind
from billing.ledger.books_shapes import Booking
from billing.models import BillingCustomer, CreditGrant, LedgerEntry, Payment, PaymentKind
from billing.pricing import Collected
from billing.services.convergence import Convergence
from billing.services.journal import BooksTotals, stream_bookings
from billing.services.payment_facts import PaymentFacts, facts_of_dispute, facts_of_refunds
from billing.services.payments import converge_payment
from billing.services.posting import Posting, post
from billing.tests.ledger.factories import make_customer

Amount = Decimal | int | str
_numbers = itertools.count(1)


@dataclass
class Shop:
    """One customer, with a deep overdraft so that work can go beyond what is there."""

    customer: BillingCustomer = field(default_factory=lambda: make_customer(overdraft_limit=10**9))

    def __post_init__(self) -> None:
        self.customer.stripe_customer_id = f"cus_{self.customer.pk}"
        self.customer.save(update_fields=["stripe_customer_id"])

    def buy(
        self,
        credits: Amount,
        cents: int,
        *,
        currency: str = "usd",
        tax: int = 0,
        discount: int = 0,
        days: int | None = None,
        is_understood: bool = True,
    ) -> Payment:
        """Pay `cents`, tax included and after a discount; not understood, it is not what we offered (yet)."""
        number = next(_numbers)
        payment = Payment.objects.create(
            customer=self.customer,
            kind=PaymentKind.CUSTOM,
            form_key=f"books-{number}",
            description="Credits",
            credits=credits,
            amount_minor=cents - tax + discount or 1,
            currency=currency,
            lifetime_days=days,
            stripe_idempotency_key=f"books-{number}",
        )
        self._tell_collected(payment, cents, tax, subtotal=payment.amount_minor if is_understood else cents + 7)
        return Payment.objects.get(pk=payment.pk)

    def understand(self, payment: Payment) -> None:
        """The session says what was paid for after all."""
        self._tell_collected(
            payment, payment.paid_amount_minor or 0, payment.paid_tax_minor or 0, subtotal=payment.amount_minor
        )

    def refund(self, payment: Payment, cents: int, *, refund_id: str = "", is_dead: bool = False) -> str:
        """A refund, or the news that it failed; gives its id."""
        refund_id = refund_id or f"re_{next(_numbers)}"
        facts = RefundFacts(
            id=refund_id,
            amount_minor=cents,
            currency=payment.paid_currency,
            status="failed" if is_dead else "succeeded",
            reason="",
            charge_id=f"ch_{payment.pk}",
            payment_intent_id=f"pi_{payment.pk}",
            created_at=timezone.now(),
        )
        self._converge(facts_of_refunds(refunds=[facts], livemode=False, occurred_at=timezone.now()))
        return refund_id

    def dispute(self, payment: Payment, cents: int, *, times: int) -> None:
        """A dispute whose money has moved so many times: out, back, out again."""
        now = timezone.now()
        movements = [
            MovementFacts(id=f"txn_{payment.pk}_{number}", amount_minor=cents * sign, created_at=now)
            for number, sign in zip(range(times), itertools.cycle([-1, 1]), strict=False)
        ]
        facts = DisputeFacts(
            id=f"dp_{payment.pk}",
            amount_minor=cents,
            currency=payment.paid_currency,
            reason="fraudulent",
            status="won" if times % 2 == 0 else "lost",
            charge_id=f"ch_{payment.pk}",
            payment_intent_id=f"pi_{payment.pk}",
            livemode=False,
            created_at=now,
            movements=tuple(movements),
        )
        self._converge(facts_of_dispute(dispute=facts, read_at=now))

    def use(self, credits: Amount) -> LedgerEntry:
        return self.post(EntryKind.USAGE, -Decimal(credits))

    def give(self, credits: Amount, *, days: int | None = None) -> LedgerEntry:
        lapses = None if days is None else timezone.now() + timedelta(days=days)
        return self.post(EntryKind.PROMOTION, Decimal(credits), expires_at=lapses)

    def write_off(self, credits: Amount) -> LedgerEntry:
        return self.post(EntryKind.WRITE_OFF, Decimal(credits))

    def post(self, kind: EntryKind, amount: Decimal, **fields: object) -> LedgerEntry:
        key = f"api:{next(_numbers)}"
        return post(posting=Posting(customer_id=self.customer.pk, kind=kind, amount=amount, key=key, **fields))  # type: ignore[arg-type]

    def posted(self) -> Decimal:
        last = LedgerEntry.objects.filter(customer=self.customer).order_by("-sequence").first()
        return last.balance_after if last else Decimal(0)

    def bookings(self) -> list[Booking]:
        return [booked.booking for booked in stream_bookings(customer_id=self.customer.pk)]

    def balances(self, currency: str = "usd") -> dict[str, int]:
        """The balance of each account that has one; credits are negative."""
        return balances_of(self.bookings(), currency)

    def prices(self) -> dict[int, tuple[int, object]]:
        """Of each paid grant its payment and its price."""
        grants = CreditGrant.objects.filter(customer=self.customer, cost_minor__gt=0).select_related("payment")
        return {
            grant.pk: (grant.payment_id or 0, (grant.currency, grant.cost_minor / float(grant.amount)))
            for grant in grants
        }

    def _tell_collected(self, payment: Payment, cents: int, tax: int, *, subtotal: int) -> None:
        now = timezone.now()
        self._converge(
            PaymentFacts(
                livemode=False,
                told_at=now,
                payment_reference=payment.public_id,
                stripe_customer_id=self.customer.stripe_customer_id or "",
                payment_intent_id=f"pi_{payment.pk}",
                charge_id=f"ch_{payment.pk}",
                collected=Collected(amount_minor=cents, currency=payment.currency, subtotal_minor=subtotal),
                tax_minor=tax,
                collected_at=payment.paid_at or now,
            )
        )

    @staticmethod
    def _converge(facts: PaymentFacts) -> None:
        with transaction.atomic():
            assert converge_payment(facts=[facts]) is Convergence.CONVERGED


def balances_of(bookings: Iterable[Booking], currency: str) -> dict[str, int]:
    totals = BooksTotals()
    for booking in bookings:
        totals.add(booking)
    trial = totals.trial_balance(currency=currency)
    return {account.value: one.balance_minor for account, one in trial.items() if one.balance_minor}
