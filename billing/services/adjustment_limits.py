"""How much staff may give and take without a second person.

What counts is what was posted alone: neither what waits for a second person nor what one approved counts against
anybody's day, because the limits bound what nobody else has looked at. Debits count by their absolute value, vouchers
by what all their uses could bring, on the day on which they are made.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Q, Sum
from django.db.models.functions import Abs
from django.utils import timezone

from billing import conf
from billing.models import Adjustment, AdjustmentDay, VoucherBatch
from billing.money import ZERO, format_credits


def lock_day() -> datetime:
    """Make whoever adjusts credits today wait until this database transaction ends; gives the time after the wait.

    Days are locked before balances, everywhere. Who waited past midnight locks the new day as well.
    """
    while True:
        day_on = timezone.now().astimezone(UTC).date()
        AdjustmentDay.objects.get_or_create(day_on=day_on)
        AdjustmentDay.objects.select_for_update().get(day_on=day_on)
        now = timezone.now()
        if now.astimezone(UTC).date() == day_on:
            return now


def find_limit(*, actor_id: int, amount: Decimal, is_write_off: bool, may_leave_debt: bool, now: datetime) -> str:
    """Why an adjustment needs a second person, in words; empty where it needs none.

    Exact under the lock of the day; without it a forecast for a page.
    """
    size = abs(amount)
    if is_write_off:
        return "Every write-off needs a second person."
    if may_leave_debt:
        return "Every debit that may leave a debt needs a second person."
    if size > conf.staff_credit_limit():
        return f"More than {format_credits(conf.staff_credit_limit())} credits at once need a second person."
    day_on = now.astimezone(UTC).date()
    by_actor, by_all = moved_alone(day_on=day_on, actor_id=actor_id), moved_alone(day_on=day_on)
    if by_actor + size > conf.staff_credit_daily_limit():
        return _day_is_used_up("one person", conf.staff_credit_daily_limit(), by_actor)
    if by_all + size > conf.staff_credit_daily_total():
        return _day_is_used_up("all staff together", conf.staff_credit_daily_total(), by_all)
    return ""


def moved_alone(*, day_on: date, actor_id: int | None = None) -> Decimal:
    """Credits given and taken on a UTC day without a second person, by one or (None) by all."""
    begin = datetime.combine(day_on, time(), tzinfo=UTC)
    alone = Q(needs_approval=False, requested_at__gte=begin, requested_at__lt=begin + timedelta(days=1))
    if actor_id is not None:
        alone &= Q(requested_by_id=actor_id)
    adjusted = Adjustment.objects.filter(alone).aggregate(sum=Sum(Abs("amount")))["sum"] or ZERO
    in_vouchers = VoucherBatch.objects.filter(alone).aggregate(sum=Sum("total_credits"))["sum"] or ZERO
    return Decimal(adjusted + in_vouchers)


def _day_is_used_up(whose: str, limit: Decimal, used: Decimal) -> str:
    return (
        f"More than {format_credits(limit)} credits a day of {whose} need a second person; "
        f"{format_credits(used)} were moved today."
    )
