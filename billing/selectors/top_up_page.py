"""What a customer sees of their automatic top-up: its state, the next trigger, and the last attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.models import AutoTopUp, CreditBalance, Payment, TopUpCause, TopUpState
from billing.money import ZERO
from billing.selectors.top_ups import attempts_of, read_situation
from billing.top_up_rules import Judgement, Situation, judge

_ATTEMPTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpPage:
    """The state as it is now; a state without a row is `off`, never set up."""

    top_up: AutoTopUp
    due_at: datetime | None
    is_put_off: bool  # asked for, but not before `due_at`
    situation: Situation | None  # while something is agreed to
    judgement: Judgement | None  # what would be decided now, if spending had asked for it
    attempts: Sequence[Payment]

    @property
    def is_on(self) -> bool:
        return self.top_up.state == TopUpState.ON

    @property
    def has_card(self) -> bool:
        return bool(self.top_up.payment_method_id)

    @property
    def until_trigger(self) -> Decimal:
        """How many credits can be spent before it is asked for; 0 where the balance is below the threshold already."""
        situation = self.situation
        return max(ZERO, situation.available - situation.threshold) if situation else ZERO

    @property
    def is_below(self) -> bool:
        return self.situation is not None and self.situation.available < self.situation.threshold

    @property
    def needs_consent(self) -> bool:
        """Whether it waits for the customer, and was not simply never wanted or turned off."""
        return not self.is_on and self.top_up.cause not in (
            TopUpCause.NEVER_SET_UP,
            TopUpCause.CUSTOMER,
            TopUpCause.STAFF,
        )


def read_top_up_page(*, customer_id: int, now: datetime) -> TopUpPage:
    """The page's content. Eight queries at most, however many attempts there are."""
    top_up = AutoTopUp.objects.select_related("consent__pack", "customer__user").filter(pk=customer_id).first()
    if top_up is None:
        top_up = AutoTopUp(customer_id=customer_id)
    balance = CreditBalance.objects.get(pk=customer_id)
    situation = judgement = None
    if top_up.consent is not None:
        situation = read_situation(top_up=top_up, consent=top_up.consent, balance=balance, now=now)
        judgement = judge(situation=situation, now=now)
    return TopUpPage(
        top_up=top_up,
        due_at=balance.top_up_due_at,
        is_put_off=balance.top_up_due_at is not None and balance.top_up_due_at > now,
        situation=situation,
        judgement=judgement,
        attempts=list(attempts_of(customer_id=customer_id)[:_ATTEMPTS]),
    )
