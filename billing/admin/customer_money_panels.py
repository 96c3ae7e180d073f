"""A customer's money: payments, what went back of them, staff's wishes to give back, and what Stripe told."""

from __future__ import annotations

from django.db.models import Sum

from billing.admin.base import NOTHING, show_credits, show_money
from billing.admin.links import link_to_stripe
from billing.admin.panels import NEWEST, Panel, link_to_page, make_panel, when
from billing.models import (
    Adjustment,
    AdjustmentState,
    BillingCustomer,
    FraudWarning,
    Payment,
    PaymentDispute,
    PaymentKind,
    PaymentRefund,
    PaymentState,
    RefundRequest,
    RefundRequestState,
    StripeEvent,
)

_EVENTS_OF_PAYMENTS = 50  # events are looked for by the names of so many payments


def build_money_panels(*, customer: BillingCustomer) -> list[Panel]:
    return [
        _payments(customer),
        _refunds(customer),
        _disputes(customer),
        _refund_requests(customer),
        _adjustments(customer),
        _events(customer),
    ]


def _payments(customer: BillingCustomer) -> Panel:
    payments = Payment.objects.filter(customer=customer).annotate(brought=Sum("entries__amount")).order_by("-pk")
    rows = [
        [
            link_to_page(payment, payment),
            show_money(payment.amount_minor, payment.currency),
            show_money(payment.paid_amount_minor, payment.paid_currency),
            show_money(payment.given_back_minor or None, payment.paid_currency),
            "by plan" if payment.kind == PaymentKind.PLAN else show_credits(payment.brought, signed=True),
            PaymentState(payment.state).label,
            when(payment.created_at),
        ]
        for payment in payments[:NEWEST]
    ]
    return make_panel(
        title="Latest payments",
        model=Payment,
        headers=["Payment", "Price", "Paid", "Given back", "Credits", "State", "Started"],
        rows=rows,
        empty="Nothing was ever to be paid.",
        filters={"customer__id__exact": customer.pk},
    )


def _refunds(customer: BillingCustomer) -> Panel:
    refunds = (
        PaymentRefund.objects.filter(payment__customer=customer).select_related("payment").order_by("-refunded_at")
    )
    rows = [
        [
            link_to_stripe(refund.refund_id),
            link_to_page(refund.payment, refund.payment.public_id),
            show_money(refund.amount_minor, refund.currency),
            f"{refund.status} (did not count in the end)" if refund.is_dead else refund.status or NOTHING,
            refund.reason or NOTHING,
            when(refund.refunded_at),
        ]
        for refund in refunds.order_by("-refunded_at")[:NEWEST]
    ]
    return make_panel(
        title="Refunds",
        model=PaymentRefund,
        headers=["Refund", "Payment", "Amount", "Status", "Reason", "Made"],
        rows=rows,
        empty="No payment was refunded.",
        filters={"q": customer.public_id},
    )


def _disputes(customer: BillingCustomer) -> Panel:
    """Disputes, and the early warnings that announce them."""
    disputes = (
        PaymentDispute.objects.filter(payment__customer=customer).select_related("payment").order_by("-opened_at")
    )
    warnings = FraudWarning.objects.filter(payment__customer=customer).select_related("payment").order_by("-warned_at")
    rows = [
        [
            link_to_stripe(dispute.dispute_id),
            link_to_page(dispute.payment, dispute.payment.public_id),
            show_money(dispute.amount_minor, dispute.currency),
            dispute.reason or NOTHING,
            dispute.status,
            when(dispute.opened_at),
            when(dispute.closed_at),
        ]
        for dispute in disputes.order_by("-opened_at")[:NEWEST]
    ] + [
        [
            link_to_stripe(warning.warning_id),
            link_to_page(warning.payment, warning.payment.public_id),
            NOTHING,
            warning.fraud_type or NOTHING,
            "early fraud warning",
            when(warning.warned_at),
            NOTHING,
        ]
        for warning in warnings.order_by("-warned_at")[:NEWEST]
    ]
    return make_panel(
        title="Disputes and fraud warnings",
        model=PaymentDispute,
        headers=["Dispute", "Payment", "Amount", "Reason", "Status", "Opened", "Closed"],
        rows=rows,
        empty="No payment was disputed, and no bank has warned of one.",
        filters={"q": customer.public_id},
    )


def _refund_requests(customer: BillingCustomer) -> Panel:
    wishes = RefundRequest.objects.filter(payment__customer=customer).select_related("payment", "requested_by")
    rows = [
        [
            link_to_page(wish, wish.public_id),
            show_money(wish.amount_minor, wish.currency),
            wish.get_reason_code_display(),
            RefundRequestState(wish.state).label,
            wish.requested_by.email,
            when(wish.requested_at),
        ]
        for wish in wishes.order_by("-requested_at")[:NEWEST]
    ]
    return make_panel(
        title="Refunds asked for by staff",
        model=RefundRequest,
        headers=["Request", "Amount", "Reason", "State", "Asked by", "Asked"],
        rows=rows,
        empty="Staff have asked for no refund.",
        filters={"q": customer.public_id},
    )


def _adjustments(customer: BillingCustomer) -> Panel:
    adjustments = Adjustment.objects.filter(customer=customer).select_related("requested_by").order_by("-requested_at")
    rows = [
        [
            link_to_page(adjustment, adjustment.public_id),
            show_credits(adjustment.amount, signed=True),
            adjustment.get_reason_code_display(),
            AdjustmentState(adjustment.state).label,
            adjustment.requested_by.email,
            when(adjustment.requested_at),
        ]
        for adjustment in adjustments[:NEWEST]
    ]
    return make_panel(
        title="Credits given, taken or written off by staff",
        model=Adjustment,
        headers=["Adjustment", "Credits", "Reason", "State", "Asked by", "Asked"],
        rows=rows,
        empty="Staff have moved no credits.",
        filters={"q": customer.public_id},
    )


def _events(customer: BillingCustomer) -> Panel:
    """Events about the customer's objects at Stripe, found by the index on what they are about."""
    payments = Payment.objects.filter(customer=customer).order_by("-pk")[:_EVENTS_OF_PAYMENTS]
    names = {name for payment in payments for name in _names_of(payment)}
    names |= {customer.stripe_customer_id or "", *customer.former_stripe_customer_ids}
    names |= set(PaymentRefund.objects.filter(payment__customer=customer).values_list("refund_id", flat=True))
    names |= set(PaymentDispute.objects.filter(payment__customer=customer).values_list("dispute_id", flat=True))
    names |= set(FraudWarning.objects.filter(payment__customer=customer).values_list("warning_id", flat=True))
    events = StripeEvent.objects.filter(object_id__in=names - {""}).order_by("-received_at")[:NEWEST]
    rows = [
        [
            link_to_page(event, event.type),
            link_to_stripe(event.object_id),
            event.get_state_display(),
            event.reason or NOTHING,
            when(event.received_at),
        ]
        for event in events
    ]
    known_as = customer.user.email if customer.user else customer.stripe_customer_id
    return make_panel(
        title="Latest events of Stripe's",
        model=StripeEvent,
        headers=["Event", "Object", "State", "Reason", "Received"],
        rows=rows,
        empty="Stripe has told nothing about this customer.",
        filters={"q": known_as} if known_as else None,
    )


def _names_of(payment: Payment) -> list[str]:
    names = (payment.checkout_session_id, payment.payment_intent_id, payment.charge_id, payment.invoice_id)
    return [name for name in names if name]
