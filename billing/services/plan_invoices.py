"""Invoices of plans converge: merge what was read, then post what the ledger lacks for their periods.

Lines of a paid invoice never change, and being paid or void is final, so any order and any repetition of readings ends
in the same credits.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog

from billing import conf
from billing.gateway.plan_facts import InvoiceLineFacts, PlanInvoiceFacts
from billing.ledger.locking import lock_accounts
from billing.models import (
    BillingCustomer,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Payment,
    PaymentKind,
    Plan,
    PlanPeriod,
    PlanPrice,
    Severity,
)
from billing.models.payment import new_payment_id
from billing.money import share_minor
from billing.services.convergence import Convergence
from billing.services.credit_notes import converge_credit_notes
from billing.services.findings import end_findings_about, raise_finding
from billing.services.parked_events import wake_parked_events
from billing.services.payment_money_back import sum_given_back
from billing.services.payment_notices import announce_receipt
from billing.services.payments import follow_balance_use
from billing.services.plan_postings import converge_periods
from billing.services.subscription_notices import announce_unpaid

UNKNOWN_PRICE = "plan_price_unknown"
_ACTION_NEEDED = "invoice.payment_action_required"
_UNPAID = ("invoice.payment_failed", _ACTION_NEEDED)
_FINAL = (InvoiceStatus.PAID, InvoiceStatus.VOID)
log = structlog.get_logger(__name__)


def find_customer_at_stripe(*, stripe_customer_id: str) -> BillingCustomer | None:
    """Whose customer at Stripe that is, or was."""
    return customers_at_stripe(stripe_customer_ids=[stripe_customer_id]).get(stripe_customer_id)


def customers_at_stripe(*, stripe_customer_ids: Iterable[str]) -> dict[str, BillingCustomer]:
    """Of these ids at Stripe those that are, or were, of customers of ours."""
    wanted = {one for one in stripe_customer_ids if one}
    found = {str(one.stripe_customer_id): one for one in BillingCustomer.objects.filter(stripe_customer_id__in=wanted)}
    if former := wanted - set(found):
        was_theirs = BillingCustomer.objects.filter(former_stripe_customer_ids__overlap=list(former))
        for customer in was_theirs.order_by("-pk"):
            found |= dict.fromkeys(former.intersection(customer.former_stripe_customer_ids), customer)
    return found


def converge_invoice(*, facts: PlanInvoiceFacts, read_at: datetime, event_type: str = "") -> Convergence:
    """Merge one reading of an invoice and bring the credits of its periods in line.

    An invoice without a subscription is a pack's receipt and grants nothing. Call inside `transaction.atomic()`; takes
    the lock on the customer's balance.
    """
    if facts.livemode is not conf.is_live():
        return Convergence.CONTRADICTED
    customer = find_customer_at_stripe(stripe_customer_id=facts.customer_id)
    if customer is None:
        return Convergence.UNKNOWN
    lock_accounts(customer_ids=[customer.pk])
    invoice = _merge_invoice(customer=customer, facts=facts, read_at=read_at)
    if facts.subscription_id:
        _converge_plan(invoice=invoice, facts=facts, read_at=read_at, event_type=event_type)
    elif invoice.payment_id is not None and invoice.from_balance_minor:
        follow_balance_use(payment_id=invoice.payment_id, paid_at=invoice.paid_at or read_at)
    converge_credit_notes(invoice=invoice, notes=facts.credit_notes, read_at=read_at)
    return Convergence.CONVERGED


def _converge_plan(*, invoice: Invoice, facts: PlanInvoiceFacts, read_at: datetime, event_type: str) -> None:
    """From the lines of a plan's invoice to the credits of their periods."""
    periods = _merge_lines(invoice=invoice, facts=facts)
    if facts.is_paid:
        _merge_payment(invoice=invoice, facts=facts)
    elif event_type in _UNPAID and facts.status == InvoiceStatus.OPEN:
        plan = _plan_of_lines(facts)
        announce_unpaid(invoice=invoice, facts=facts, plan=plan, is_action_needed=event_type == _ACTION_NEEDED)
    converge_periods(customer_id=invoice.customer_id, periods=periods, occurred_at=facts.paid_at or read_at)


def _merge_invoice(*, customer: BillingCustomer, facts: PlanInvoiceFacts, read_at: datetime) -> Invoice:
    """What is final stays; of the rest the later reading counts."""
    invoice = Invoice.objects.select_for_update().filter(invoice_id=facts.id).first() or Invoice(invoice_id=facts.id)
    is_new = invoice.pk is None
    if not is_new and (invoice.read_at > read_at or (invoice.status in _FINAL and facts.status not in _FINAL)):
        return invoice
    invoice.customer, invoice.subscription_id = customer, facts.subscription_id
    invoice.number, invoice.status, invoice.billing_reason = facts.number, facts.status, facts.billing_reason
    invoice.currency, invoice.total_minor, invoice.tax_minor = facts.currency, facts.total_minor, facts.tax_minor
    invoice.amount_due_minor, invoice.amount_paid_minor = facts.amount_due_minor, facts.amount_paid_minor
    invoice.from_balance_minor = facts.from_balance_minor if facts.is_paid else 0
    invoice.credited_before_minor = facts.credited_before_minor
    invoice.attempt_count = facts.attempt_count
    invoice.hosted_url, invoice.pdf_url = facts.hosted_url, facts.pdf_url
    invoice.created_at, invoice.paid_at, invoice.read_at = facts.created_at, facts.paid_at, read_at
    if not facts.subscription_id and invoice.payment_id is None:
        invoice.payment = _pack_payment(customer=customer, reference=facts.payment_reference)
    invoice.save()
    return invoice


def _pack_payment(*, customer: BillingCustomer, reference: str) -> Payment | None:
    found = Payment.objects.filter(customer=customer, public_id=reference).exclude(kind=PaymentKind.PLAN).first()
    return found if found is not None and not hasattr(found, "invoice_mirror") else None


def _merge_lines(*, invoice: Invoice, facts: PlanInvoiceFacts) -> list[PlanPeriod]:
    """Add the lines that are not known yet; gives the periods of all of the invoice's lines."""
    known = {line.line_id: line for line in invoice.lines.select_related("period")}
    prices = {
        price.stripe_price_id: price
        for price in PlanPrice.objects.filter(stripe_price_id__in=[line.price_id for line in facts.lines])
        if price.currency == facts.currency  # a price may have other currencies at Stripe, which buy another amount
    }
    periods: dict[int, PlanPeriod] = {line.period.pk: line.period for line in known.values() if line.period is not None}
    main: PlanPeriod | None = next(iter(periods.values()), None)
    # Lines of no subscription, such as a fee, are money of the period that they are paid with.
    for told in sorted(facts.lines, key=lambda line: not line.subscription_id):
        line = known.get(told.id) or InvoiceLine(invoice=invoice, line_id=told.id)
        price = prices.get(told.price_id)
        if line.pk is not None and not (line.unit_credits is None and price is not None):
            continue
        period = _period_of(invoice=invoice, told=told) if told.subscription_id else main
        main = main or period
        _fill_line(line, told=told, price=price, period=period)
        line.save()
        if period is not None:
            periods[period.pk] = period
    for period in periods.values():
        _name_plan(period)
    _follow_unknown_prices(invoice=invoice, of_plan=[line.id for line in facts.lines if line.subscription_id])
    return [periods[pk] for pk in sorted(periods)]


def _period_of(*, invoice: Invoice, told: InvoiceLineFacts) -> PlanPeriod:
    """The period of a subscription that a line is for: lines of one period end together, whenever they begin."""
    period, _ = PlanPeriod.objects.get_or_create(
        subscription_id=told.subscription_id,
        ends_at=told.ends_at,
        defaults={"customer": invoice.customer, "starts_at": told.starts_at, "currency": invoice.currency},
    )
    if told.starts_at < period.starts_at:
        period.starts_at = told.starts_at
        period.save(update_fields=["starts_at"])
    return period


def _name_plan(period: PlanPeriod) -> None:
    """The plan of a period is that of the paid line that begins last, whatever the order in which lines were read.

    A change whose invoice is not paid changes nothing of what was paid before.
    """
    lines = period.lines.filter(amount_minor__gt=0, unit_credits__isnull=False, invoice__status=InvoiceStatus.PAID)
    lines = lines.order_by("-starts_at", "-line_id")
    price_id = lines.values_list("price_id", flat=True).first()
    price = PlanPrice.objects.select_related("plan").filter(stripe_price_id=price_id or "").first()
    if price is not None and period.plan_id != price.plan_id:
        period.plan = price.plan
        period.save(update_fields=["plan"])


def _plan_of_lines(facts: PlanInvoiceFacts) -> Plan | None:
    """What an invoice asks money for, paid or not."""
    wanted = [line.price_id for line in facts.lines if line.amount_minor > 0]
    price = PlanPrice.objects.filter(stripe_price_id__in=wanted).select_related("plan").order_by("-plan__rank").first()
    return price.plan if price else None


def _fill_line(
    line: InvoiceLine, *, told: InvoiceLineFacts, price: PlanPrice | None, period: PlanPeriod | None
) -> None:
    line.period, line.price_id, line.quantity = period, told.price_id, told.quantity
    line.is_proration, line.description = told.is_proration, told.description
    line.amount_minor, line.discount_minor = told.amount_minor, told.discount_minor
    line.tax_minor, line.money_minor = told.tax_minor, told.money_minor
    line.starts_at, line.ends_at = told.starts_at, told.ends_at
    if price is not None and told.subscription_id:
        line.unit_amount_minor, line.unit_credits = price.amount_minor, price.credits


def _follow_unknown_prices(*, invoice: Invoice, of_plan: Sequence[str]) -> None:
    """A line of a price that is no plan's grants nothing, and staff hear of it once it is paid."""
    unknown = invoice.lines.filter(unit_credits__isnull=True, line_id__in=of_plan).order_by("pk")
    if not unknown.exists():
        end_findings_about(kinds=[UNKNOWN_PRICE], subject=invoice.invoice_id, reason="Its prices are known by now.")
    elif invoice.status == InvoiceStatus.PAID:
        names = ", ".join(sorted({line.price_id for line in unknown}))
        raise_finding(
            kind=UNKNOWN_PRICE,
            severity=Severity.HIGH,
            subject=invoice.invoice_id,
            detail=f"A paid invoice has lines at prices that belong to no plan: {names}. They granted nothing.",
            customer=invoice.customer,
            stripe_id=invoice.invoice_id,
            theirs={"total_minor": invoice.total_minor, "currency": invoice.currency, "prices": names},
            suggested_repair="Enter the price with its plan in the admin, then run reconcile_stripe.",
            occurred_at=invoice.paid_at,
        )


def _merge_payment(*, invoice: Invoice, facts: PlanInvoiceFacts) -> None:
    """The payment of a paid invoice: its checkout's, or a new one. It mirrors; what is posted belongs to periods."""
    payment = invoice.payment or _checkout_payment(invoice=invoice, facts=facts)
    asked_minor = max(0, facts.total_minor - facts.credited_before_minor)
    if payment is None:
        if not asked_minor:
            return  # nothing that could go back
        payment = _new_payment(invoice=invoice)
    learned = []
    for name, told in (("payment_intent_id", facts.payment_intent_id), ("charge_id", facts.charge_id)):
        if told and not getattr(payment, name):
            setattr(payment, name, told)
            learned.append(told)
    payment.invoice_id, payment.receipt_url = facts.id, payment.receipt_url or facts.hosted_url
    payment.paid_at = min(filter(None, (payment.paid_at, facts.paid_at or facts.created_at)))
    payment.paid_amount_minor, payment.paid_currency = asked_minor, facts.currency
    payment.paid_tax_minor = _tax_in_payment(facts)
    payment.paid_subtotal_minor = asked_minor - payment.paid_tax_minor
    payment.given_back_minor = sum_given_back(payment)
    payment.save()
    if invoice.payment_id is None:
        invoice.payment = payment
        invoice.save(update_fields=["payment"])
    announce_receipt(payment=payment)
    wake_parked_events(named=learned)


def _tax_in_payment(facts: PlanInvoiceFacts) -> int:
    """The tax in what was paid: what credit notes took off before took its part along, rounded as the books do it."""
    if facts.total_minor <= 0 or facts.tax_minor <= 0:
        return 0
    credited = min(facts.credited_before_minor, facts.total_minor)
    return facts.tax_minor - share_minor(amount_minor=facts.tax_minor, part=credited, whole=facts.total_minor)


def _checkout_payment(*, invoice: Invoice, facts: PlanInvoiceFacts) -> Payment | None:
    """The payment that a subscription's checkout was opened with: its first invoice, and no later one, is for it."""
    if facts.billing_reason != "subscription_create":
        return None
    found = Payment.objects.filter(
        customer=invoice.customer, public_id=facts.payment_reference, kind=PaymentKind.PLAN, invoice_mirror__isnull=True
    ).first()
    return found and Payment.objects.select_for_update(of=("self",)).get(pk=found.pk)


def _new_payment(*, invoice: Invoice) -> Payment:
    public_id = new_payment_id()
    period = PlanPeriod.objects.filter(lines__invoice=invoice).select_related("plan").order_by("-ends_at").first()
    plan = period.plan if period else None
    return Payment(
        public_id=public_id,
        customer=invoice.customer,
        kind=PaymentKind.PLAN,
        plan=plan,
        form_key=f"invoice:{invoice.invoice_id}"[:100],
        description=plan.name if plan else "Subscription",
        credits=0,
        amount_minor=max(0, invoice.total_minor - invoice.credited_before_minor),
        currency=invoice.currency,
        stripe_idempotency_key=f"invoice-{invoice.invoice_id}"[:100],
    )
