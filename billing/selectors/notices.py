"""What a customer was told of that still concerns them: the banners of pages."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import QuerySet

from billing.models import AutoTopUp, CreditGrant, Notice, PaymentKind, SubscriptionStatus, TopUpCause, TopUpState
from billing.models.notice import BANNER_EVENTS
from billing.notice_kinds import NoticeEvent

SHOWN_FOR = timedelta(days=30)
_MOST = 50  # read; whoever has more of them in a month sees the newest
_TOP_UPS = (
    NoticeEvent.TOP_UP_FAILED,
    NoticeEvent.TOP_UP_PAUSED,
    NoticeEvent.TOP_UP_AUTHENTICATION_NEEDED,
    NoticeEvent.TOP_UP_TURNED_OFF,
)
_UNPAID = (SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID)


def read_standing_notices(*, customer_id: int, now: datetime) -> list[Notice]:
    """Notices of the last 30 days that were neither closed nor overtaken by what happened since, newest first."""
    recent = Notice.objects.filter(
        customer_id=customer_id,
        event__in=[event.value for event in BANNER_EVENTS],
        dismissed_at__isnull=True,
        occurred_at__gt=now - SHOWN_FOR,
    ).order_by("-occurred_at", "-pk")
    standing = find_standing(_newest_words(recent), now=now)
    if any(notice.event in _TOP_UPS for notice in standing):
        top_up = AutoTopUp.objects.filter(pk=customer_id).first()
        if top_up is None or top_up.state == TopUpState.ON or top_up.cause == TopUpCause.CUSTOMER:
            standing = [notice for notice in standing if not _is_overtaken_by(top_up, notice)]
    return _follow_grants(standing)


def _newest_words(recent: QuerySet[Notice]) -> list[Notice]:
    """The newest notices, by one query. Of receipts the last one ends as much as all of them, of each sort."""
    receipts = recent.filter(event=NoticeEvent.PAYMENT_RECEIPT.value)
    top_ups = receipts.filter(payload__kind=PaymentKind.AUTO_TOP_UP.value)
    others = recent.exclude(event=NoticeEvent.PAYMENT_RECEIPT.value)
    words = others[:_MOST].union(receipts[:1], top_ups[:1], all=True)
    return sorted(words, key=lambda notice: (notice.occurred_at, notice.pk), reverse=True)


def find_standing(newest_first: Iterable[Notice], *, now: datetime) -> list[Notice]:
    """What still stands of a customer's notices: the latest word about each subject, unless that word ended it."""
    seen: set[str] = set()
    standing = []
    for notice in newest_first:
        if _changes_nothing(notice):
            continue
        subjects = _subjects_of(notice)
        if seen.isdisjoint(subjects) and not _is_over(notice, now=now):
            standing.append(notice)
        seen |= subjects
    return standing


def _subjects_of(notice: Notice) -> set[str]:
    """What a notice is about: of two about one thing the later one counts."""
    payload = notice.payload
    match NoticeEvent(notice.event):
        case NoticeEvent.PAYMENT_FAILED:
            return {"payment"}
        case NoticeEvent.PAYMENT_RECEIPT:
            return {"payment", "top_up_try"} if payload["kind"] == PaymentKind.AUTO_TOP_UP else {"payment"}
        case NoticeEvent.PAYMENT_DISPUTED:
            return {f"dispute:{payload['dispute']}"}
        case NoticeEvent.CREDITS_EXPIRING:
            return {f"expiry:{_grant_of(notice)}"}
        case NoticeEvent.TOP_UP_FAILED:  # it was on and tried again by itself: one that is paid ends the matter
            return {"top_up", "top_up_try"}
        case event if event in _TOP_UPS:
            return {"top_up"}
    return {f"subscription:{payload['subscription']}"}


def _changes_nothing(notice: Notice) -> bool:
    """Whether a word about a plan leaves what was said before as it is: unpaid as it was, or still on a trial."""
    if notice.event != NoticeEvent.SUBSCRIPTION_UPDATED:
        return False
    is_trial = notice.payload["status"] == SubscriptionStatus.TRIALING and not notice.payload["cancel_at"]
    return is_trial or notice.payload["status"] in _UNPAID


def _is_over(notice: Notice, *, now: datetime) -> bool:
    """Whether a word asks nothing of anybody, or not any more."""
    match NoticeEvent(notice.event):
        case NoticeEvent.PAYMENT_RECEIPT | NoticeEvent.SUBSCRIPTION_UPDATED | NoticeEvent.SUBSCRIPTION_CANCELED:
            return True
        case NoticeEvent.PAYMENT_DISPUTED:
            return bool(notice.payload["status"] != "opened")
        case NoticeEvent.CREDITS_EXPIRING:
            return datetime.fromisoformat(notice.payload["expires_at"]) <= now
        case NoticeEvent.SUBSCRIPTION_TRIAL_ENDING:
            return datetime.fromisoformat(notice.payload["trial_end"]) <= now
    return False


def _follow_grants(standing: list[Notice]) -> list[Notice]:
    """Of credits that lapse, those that are left now, and when: what was used since is not lost, nor what stays."""
    expiring = {int(_grant_of(notice)): notice for notice in standing if notice.event == NoticeEvent.CREDITS_EXPIRING}
    if not expiring:
        return standing
    left = CreditGrant.objects.filter(is_open=True, expires_at__isnull=False).only("remaining", "expires_at")
    grants = left.in_bulk(list(expiring))
    for grant_id, grant in grants.items():
        end = {"expires_at": grant.expires_at.isoformat()} if grant.expires_at else {}
        expiring[grant_id].payload = {**expiring[grant_id].payload, **end, "amount": f"{grant.remaining:.6f}"}
    used_up = [notice.pk for grant_id, notice in expiring.items() if grant_id not in grants]
    return [notice for notice in standing if notice.pk not in used_up]


def _grant_of(notice: Notice) -> str:
    """`services/expiring.py` names these notices by grant and step."""
    return notice.key.partition(":")[0]


def _is_overtaken_by(top_up: AutoTopUp | None, notice: Notice) -> bool:
    """Whether the customer has confirmed or ended automatic top-up since."""
    if notice.event not in _TOP_UPS:
        return False
    return top_up is None or top_up.changed_at >= notice.occurred_at
