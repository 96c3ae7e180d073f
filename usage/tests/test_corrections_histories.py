"""Random lives of customers with corrections and reversals in between; the books close throughout."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from django.utils import timezone

from billing.kinds import EntryKind
from billing.models import BillingCustomer
from billing.money import ZERO
from billing.services.journal import read_totals
from billing.services.posting import Posting, post
from billing.services.verification import find_ledger_faults
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import balance_of, buy, give
from usage.models import UsageCorrection, UsageEvent
from usage.selectors.corrections import CorrectionTerms, preview_correction
from usage.services.corrections import apply_correction, reverse_correction
from usage.tests.corrections import MODEL, call, make_price

pytestmark = pytest.mark.django_db
STEPS = 24


class Life:
    """Three customers, and a stack of corrections that stand."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.customers = [make_customer() for _ in range(3)]
        self.standing: list[tuple[UsageCorrection, list[Decimal]]] = []
        self.met: Counter[str] = Counter()
        make_price(input_usd="0.01")
        for customer in self.customers:
            buy(customer, 60)
            call(customer)

    def step(self) -> None:
        customer = self.random.choice(self.customers)
        self.random.choice(
            [self.add, self.use, self.use, self.correct, self.correct, self.reverse, self.reverse, self.forgive]
        )(customer)
        assert all(self.charged(event) >= 0 for event in UsageEvent.objects.all())

    def add(self, customer: BillingCustomer) -> None:
        amount = self.random.randint(1, 40)
        if self.random.random() < 0.5:
            buy(customer, amount)
        else:
            give(customer, amount)

    def use(self, customer: BillingCustomer) -> None:
        balance = balance_of(customer).posted
        if balance > 20:
            call(customer, input=self.random.randint(1, 900), output=self.random.randint(0, 100))

    def correct(self, customer: BillingCustomer) -> None:
        now = timezone.now()
        price = make_price(model=f"p{self.random.random()}", input_usd=f"{self.random.randint(0, 50) / 1000}")
        terms = CorrectionTerms(model=MODEL, since=now - timedelta(days=1), until=now + timedelta(days=1), price=price)
        before = self.posted()
        previewed = {change.customer_id: change.difference for change in preview_correction(terms=terms)}
        correction = apply_correction(terms=terms, reason="Wrong", actor=None)
        moved = [after - was for after, was in zip(self.posted(), before, strict=True)]
        assert moved == [previewed.get(each.pk, ZERO) for each in self.customers]
        assert apply_correction(terms=terms, reason="Again", actor=None) is None
        self.met.update(["debt"] if min(self.posted()) < 0 else [])
        if correction is not None:
            self.met["correction"] += 1
            self.standing.append((correction, moved))

    def reverse(self, customer: BillingCustomer) -> None:
        if self.standing:
            correction, moved = self.standing.pop()
            before = self.posted()
            reverse_correction(correction=correction, reason="No", actor=None)
            assert [was - after for after, was in zip(self.posted(), before, strict=True)] == moved
            self.met["reversal"] += 1

    def forgive(self, customer: BillingCustomer) -> None:
        debt = -balance_of(customer).posted
        if debt > 0:
            self.standing.clear()  # what was written off does not come back, so a reversal moves less
            self.met["forgiven"] += 1
            amount = (debt * Decimal(self.random.random())).quantize(Decimal("0.000001")) or debt
            key = f"staff:{self.random.random()}"
            post(
                posting=Posting(
                    customer_id=customer.pk, kind=EntryKind.WRITE_OFF, amount=amount, key=key, description="Forgiven"
                )
            )

    def posted(self) -> list[Decimal]:
        return [balance_of(customer).posted for customer in self.customers]

    def charged(self, event: UsageEvent) -> Decimal:
        return Decimal(event.credits) - sum((row.amount for row in event.corrections.all()), ZERO)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_balances_follow_the_preview_and_the_books_close(seed: int) -> None:
    life = Life(seed)

    for number in range(STEPS):
        life.step()
        if number % 6 == 5:
            assert list(find_ledger_faults()) == []

    balance = read_totals().trial_balance(currency="usd")
    assert sum(account.balance_minor for account in balance.values()) == 0
    assert {"correction", "reversal", "debt"} <= life.met.keys()
