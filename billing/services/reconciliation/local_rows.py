"""Our rows for a page of Stripe's objects, looked up a page at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q

from billing.models import Payment
from billing.services.reconciliation.seen import payments_seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What an object of Stripe's calls the payment that it belongs to; empty where it does not."""

    reference: str = ""
    session_id: str = ""
    payment_intent_id: str = ""
    charge_id: str = ""


class PaymentsOfPage:
    """The payments that a page of objects names: by our own id first, then by Stripe's, as convergence finds them."""

    def __init__(self, named: Iterable[Names], *, with_money_back: bool = False) -> None:
        page = list(named)
        seen = payments_seen([one for names in page for one in (names.payment_intent_id, names.charge_id) if one])
        found = Payment.objects.filter(
            Q(public_id__in=_filled(names.reference for names in page))
            | Q(checkout_session_id__in=_filled(names.session_id for names in page))
            | Q(payment_intent_id__in=_filled(names.payment_intent_id for names in page))
            | Q(charge_id__in=_filled(names.charge_id for names in page))
            | Q(pk__in=[payment_id for payment_id in seen.values() if payment_id])
        ).select_related("customer", "invoice_mirror")
        if with_money_back:
            found = found.prefetch_related("refunds", "disputes__movements", "fraud_warnings")
        self._by_name: dict[str, Payment] = {}
        by_id = {payment.pk: payment for payment in found.order_by("pk")}
        for payment in by_id.values():
            for name in (
                payment.public_id,
                payment.checkout_session_id,
                payment.payment_intent_id,
                payment.charge_id,
            ):
                if name:
                    self._by_name[name] = payment
        for name, payment_id in seen.items():
            if payment_id in by_id:
                self._by_name.setdefault(name, by_id[payment_id])

    def find(self, names: Names) -> Payment | None:
        """The payment of an object on this page."""
        for name in (names.reference, names.session_id, names.payment_intent_id, names.charge_id):
            if name and name in self._by_name:
                return self._by_name[name]
        return None


def _filled(names: Iterable[str]) -> Sequence[str]:
    return [name for name in names if name]
