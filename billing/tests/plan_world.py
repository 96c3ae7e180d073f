"""A small world of plans for tests: readings of invoices as Stripe would give them, without asking anybody."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from billing.credits import deduct_credits
from billing.gateway.plan_facts import InvoiceLineFacts, PlanInvoiceFacts
from billing.ledger.verification import verify_ledger
from billing.models import BillingCustomer, LedgerEntry, Plan, PlanPrice
from billing.services.convergence import Convergence
from billing.services.journal import read_totals
from billing.services.plan_invoices import converge_invoice
from billing.tests.shop import make_customer

_numbers = itertools.count(1)
PRO, PRO_PLUS = (1900, Decimal(20_000)), (4900, Decimal(60_000))


def make_plan(slug: str, *, price: tuple[int, Decimal] = PRO, rank: int = 1, **fields: Any) -> Plan:
    """A plan with a current price at Stripe, `price_<slug>`."""
    amount, credits = price
    plan = Plan.objects.create(
        slug=slug, name=slug.replace("_", " ").title(), rank=rank, price_minor=amount, credits=credits, **fields
    )
    PlanPrice.objects.create(
        plan=plan,
        stripe_price_id=f"price_{slug}",
        credits=credits,
        amount_minor=amount,
        currency=plan.currency,
        interval=plan.interval,
    )
    return plan


def make_subscriber() -> BillingCustomer:
    """A customer with an empty balance who is known at Stripe."""
    customer = make_customer()
    customer.stripe_customer_id = f"cus_{next(_numbers)}"
    customer.save()
    return customer


def line(
    amount_minor: int,
    slug: str,
    *,
    span: tuple[datetime, datetime],
    subscription: str = "sub_1",
    discount_minor: int = 0,
    tax_minor: int = 0,
    quantity: int = 1,
) -> InvoiceLineFacts:
    """A line for time of a subscription at the price of a plan."""
    return InvoiceLineFacts(
        id=f"il_{next(_numbers)}",
        subscription_id=subscription,
        price_id=f"price_{slug}",
        quantity=quantity,
        is_proration=amount_minor < 0,
        description=slug,
        amount_minor=amount_minor,
        discount_minor=discount_minor,
        tax_minor=tax_minor,
        money_minor=amount_minor - discount_minor + tax_minor,
        starts_at=span[0],
        ends_at=span[1],
    )


def invoice(
    customer: BillingCustomer,
    lines: Sequence[InvoiceLineFacts],
    *,
    status: str = "paid",
    from_balance_minor: int | None = None,
    paid_at: datetime | None = None,
    reason: str = "subscription_cycle",
) -> PlanInvoiceFacts:
    """An invoice of these lines. What it has below zero goes into the balance."""
    total = sum(one.money_minor for one in lines)
    from_balance = min(total, 0) if from_balance_minor is None else from_balance_minor
    number = next(_numbers)
    moment = paid_at or max(one.starts_at for one in lines)
    return PlanInvoiceFacts(
        id=f"in_{number}",
        subscription_id=lines[0].subscription_id,
        customer_id=customer.stripe_customer_id or "",
        livemode=False,
        number=f"N-{number}",
        status=status,
        billing_reason=reason,
        currency="usd",
        total_minor=total,
        tax_minor=sum(one.tax_minor for one in lines),
        amount_due_minor=max(0, total - max(0, from_balance)),
        amount_paid_minor=max(0, total - max(0, from_balance)),
        from_balance_minor=from_balance,
        credited_before_minor=0,
        attempt_count=1,
        next_try_at=None,
        payment_reference="",
        payment_intent_id=f"pi_{number}" if total > max(0, from_balance) else "",
        charge_id="",
        hosted_url="",
        pdf_url="",
        created_at=moment,
        paid_at=moment if status == "paid" else None,
        lines=tuple(lines),
    )


def tell(*invoices: PlanInvoiceFacts) -> None:
    """Let us read invoices, one after the other."""
    for one in invoices:
        with transaction.atomic():
            assert converge_invoice(facts=one, read_at=timezone.now()) is Convergence.CONVERGED


def spend(customer: BillingCustomer, amount: int, *, key: str = "work") -> None:
    """Use credits."""
    assert customer.user is not None
    deduct_credits(customer.user, amount, description="Work", idempotency_key=key)


def posted(customer: BillingCustomer) -> Decimal:
    """What is posted for a customer."""
    customer.balance.refresh_from_db()
    return Decimal(customer.balance.posted)


def amounts(customer: BillingCustomer, *kinds: str) -> list[str]:
    """The amounts of the customer's entries, or of those of some kinds, in order."""
    entries = LedgerEntry.objects.filter(customer=customer).order_by("sequence")
    return [str(entry.amount) for entry in (entries.filter(kind__in=kinds) if kinds else entries)]


def check_books(*, currency: str = "usd") -> dict[str, int]:
    """Nothing is wrong in ledger and books; gives the balances of the accounts that are not 0, debit positive."""
    assert list(verify_ledger()) == []
    balances = {
        account.value: totals.balance_minor
        for account, totals in read_totals().trial_balance(currency=currency).items()
        if totals.balance_minor
    }
    assert sum(balances.values()) == 0
    return balances


@dataclass
class Month:
    """Periods of thirty days from a start: `Month(start).at(1)` is when the second begins."""

    start: datetime = field(default_factory=lambda: datetime(2026, 11, 1, tzinfo=UTC))
    days: int = 30

    def at(self, number: int, *, day: int = 0) -> datetime:
        return self.start + timedelta(days=self.days * number + day)

    def span(self, number: int, *, day: int = 0) -> tuple[datetime, datetime]:
        return self.at(number, day=day), self.at(number + 1)
