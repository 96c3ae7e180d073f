"""Money that goes back stops automatic top-up: a refund pauses it, a dispute or a fraud warning turns it off.

Only what is new does. The same refund told again, after the customer has confirmed, changes nothing.
"""

from collections.abc import Collection, Sequence

from billing.models import FraudWarning, PaymentDispute, PaymentRefund, TopUpCause
from billing.services.payment_facts import PaymentFacts
from billing.services.top_ups.stopping import stop_top_up


def find_news(*, facts: Sequence[PaymentFacts]) -> list[TopUpCause]:
    """What of these facts, before they are merged, stops automatic top-up; the gravest first."""
    disputes = {reading.facts.id for one in facts for reading in one.disputes}
    warnings = {warning.id for one in facts for warning in one.fraud_warnings}
    refunds = {refund.id for one in facts for refund in one.refunds if not refund.is_dead}
    known = (
        (TopUpCause.DISPUTE, disputes, PaymentDispute.objects.filter(dispute_id__in=disputes)),
        (TopUpCause.FRAUD_WARNING, warnings, FraudWarning.objects.filter(warning_id__in=warnings)),
        (TopUpCause.REFUND, refunds, PaymentRefund.objects.filter(refund_id__in=refunds)),
    )
    return [cause for cause, told, rows in known if told and rows.count() < len(told)]


def stop_for_news(*, customer_id: int, news: Collection[TopUpCause]) -> None:
    """Stop the customer's top-up for the gravest of them."""
    for cause in news:
        stop_top_up(customer_id=customer_id, cause=cause)
