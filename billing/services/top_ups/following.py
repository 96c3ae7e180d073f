"""Money that goes back stops automatic top-up: a refund pauses it, a dispute or a fraud warning turns it off.

Only what is new does. The same refund told again, after the customer has confirmed, changes nothing. A dispute is new
as well where an inquiry becomes one, and whenever it takes money: an appeal does so again.
"""

from collections.abc import Collection, Sequence
from typing import Final

from django.db.models import QuerySet

from billing.gateway.facts import INQUIRY_STATUSES
from billing.kinds import EntryKind
from billing.models import FraudWarning, PaymentDispute, PaymentRefund, TopUpCause
from billing.services.payment_facts import PaymentFacts
from billing.services.payment_money_back import MoneyChange
from billing.services.top_ups.stopping import stop_top_up

_GRAVITY: Final = (TopUpCause.DISPUTE, TopUpCause.FRAUD_WARNING, TopUpCause.REFUND)
_CAUSES: Final = {EntryKind.DISPUTE: TopUpCause.DISPUTE, EntryKind.REFUND: TopUpCause.REFUND}


def find_news(*, facts: Sequence[PaymentFacts]) -> list[TopUpCause]:
    """What of these facts, before they are merged, stops automatic top-up; the gravest first."""
    told_disputes = [reading.facts for one in facts for reading in one.disputes]
    disputes = {dispute.id for dispute in told_disputes}
    grown = {dispute.id for dispute in told_disputes if not dispute.is_inquiry}
    warnings = {warning.id for one in facts for warning in one.fraud_warnings}
    refunds = {refund.id for one in facts for refund in one.refunds if not refund.is_dead}
    known = (
        (TopUpCause.DISPUTE, disputes, _as_told(PaymentDispute.objects.filter(dispute_id__in=disputes), grown)),
        (TopUpCause.FRAUD_WARNING, warnings, FraudWarning.objects.filter(warning_id__in=warnings)),
        (TopUpCause.REFUND, refunds, PaymentRefund.objects.filter(refund_id__in=refunds)),
    )
    return [cause for cause, told, rows in known if told and rows.count() < len(told)]


def stop_for_news(*, customer_id: int, news: Collection[TopUpCause], changes: Collection[MoneyChange] = ()) -> None:
    """Stop the customer's top-up for the gravest of them, and of money that went."""
    gone = {_CAUSES[change.kind] for change in changes if change.amount_minor > 0}
    for cause in sorted({*news, *gone}, key=_GRAVITY.index):
        stop_top_up(customer_id=customer_id, cause=cause)


def _as_told(known: QuerySet[PaymentDispute], grown: Collection[str]) -> QuerySet[PaymentDispute]:
    """The disputes that are known for what they are told to be by now, and not as a mere question of the bank."""
    return known.exclude(dispute_id__in=grown, status__startswith=INQUIRY_STATUSES)
