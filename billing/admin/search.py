"""Finding rows by what staff have at hand: an e-mail address, an id of Stripe's or ours, an idempotency key.

A term is first looked up in the small tables (customers, payments), so that the search of a long ledger goes by its
index on the customer and never by matching text in every row.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from accounts.key_search import keys_like
from billing.kinds import CALLER_KEY_PREFIX
from billing.models import BillingCustomer, FraudWarning, Payment, PaymentDispute, PaymentRefund

_AT_MOST = 200
_PAYMENT_NAMES = (
    "public_id",
    "checkout_session_id",
    "payment_intent_id",
    "charge_id",
    "invoice_id",
    "stripe_idempotency_key",
    "form_key",
)
_GIVEN_BACK_NAMES: tuple[tuple[type[Model], str], ...] = (
    (PaymentRefund, "refund_id"),
    (PaymentDispute, "dispute_id"),
    (FraudWarning, "warning_id"),
)


def customer_ids_for(term: str) -> list[int]:
    """Customers whose e-mail address contains the term, or whose id or API key it is."""
    named = Q(user__email__icontains=term) | Q(email__icontains=term) | Q(public_id=term) | Q(stripe_customer_id=term)
    named |= Q(external_id=term) | Q(user__in=keys_like(term).exclude(user=None).values("user"))
    if term.startswith("cus_"):
        named |= Q(former_stripe_customer_ids__contains=[term])
    return list(BillingCustomer.objects.filter(named).values_list("pk", flat=True)[:_AT_MOST])


def payments_for(term: str) -> list[tuple[int, int]]:
    """Payments that one of Stripe's or our names stands for, as (payment, customer); also by what went back of them."""
    named = Q()
    for name in _PAYMENT_NAMES:
        named |= Q(**{name: term})
    for model, name in _GIVEN_BACK_NAMES:
        named |= Q(pk__in=model._default_manager.filter(**{name: term}).values("payment"))
    return list(Payment.objects.filter(named).values_list("pk", "customer_id")[:_AT_MOST])


def rows_named(names: Collection[str]) -> list[Model]:
    """The customers and then the payments that an object of Stripe's with these ids is about."""
    named = Q(public_id__in=names) | Q(checkout_session_id__in=names) | Q(payment_intent_id__in=names)
    named |= Q(charge_id__in=names) | Q(invoice_id__in=names)
    payments = list(Payment.objects.filter(named).select_related("customer__user").order_by("pk")[:_AT_MOST])
    owners = Q(stripe_customer_id__in=names) | Q(pk__in=[payment.customer_id for payment in payments])
    return [*BillingCustomer.objects.filter(owners).select_related("user").order_by("pk")[:_AT_MOST], *payments]


class FoundByCustomer:
    """Search for lists of rows that belong to a customer: by customer, else by payment, else by the row's own names."""

    own_names: ClassVar[tuple[str, ...]] = ()
    customer_path: ClassVar[str] = "customer"
    payment_path: ClassVar[str] = ""
    search_fields: ClassVar[tuple[str, ...]] = ("pk",)  # shows the search box; what is searched is below
    search_help_text = "E-mail address, id of Stripe's or ours, beginning of an API key, or idempotency key"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if customer_ids := customer_ids_for(term):
            return queryset.filter(**{f"{self.customer_path}__in": customer_ids}), False
        if self.payment_path and (payments := payments_for(term)):
            chosen = {
                f"{self.customer_path}__in": {customer_id for _, customer_id in payments},
                f"{self.payment_path}__in": {payment_id for payment_id, _ in payments},
            }
            return queryset.filter(**chosen), False
        named = Q(pk__in=[])
        for name in self.own_names:
            named |= Q(**{f"{name}__in": [term, f"{CALLER_KEY_PREFIX}{term}"]})
        return queryset.filter(named), False
