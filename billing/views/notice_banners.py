"""Banners of what a customer was told: on every page the same words as in the mails."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from billing.context_processors import balance_of_request
from billing.models import BillingCustomer
from billing.notice_kinds import NoticeEvent
from billing.selectors.notices import read_standing_notices
from billing.services.mail_texts.registry import words_of
from billing.services.mail_texts.shapes import Words
from billing.services.notices import dismiss_notice
from billing.views.access import customer_page

_SERIOUS = (
    NoticeEvent.PAYMENT_DISPUTED,
    NoticeEvent.SUBSCRIPTION_PAYMENT_FAILED,
    NoticeEvent.TOP_UP_AUTHENTICATION_NEEDED,
)
_MOST = 3


@dataclass(frozen=True, slots=True)
class NoticeBanner:
    """One banner: what it says, how serious it is, and by which name it can be closed (empty: it cannot)."""

    words: Words
    level: str
    dismiss_id: str


def banners_of_request(request: HttpRequest) -> list[NoticeBanner]:
    """Banners for the logged-in user, three at most, the serious ones first; none for strangers."""
    balance = balance_of_request(request)
    if balance is None:
        return []
    notices = read_standing_notices(customer_id=balance.customer_id, now=timezone.now())
    notices.sort(key=lambda notice: notice.event not in _SERIOUS)
    return [
        NoticeBanner(
            words=words_of(notice),
            level="bad" if notice.event in _SERIOUS else "warn",
            dismiss_id="" if notice.event == NoticeEvent.PAYMENT_DISPUTED else notice.public_id,
        )
        for notice in notices[:_MOST]
    ]


@require_POST
@customer_page
def dismiss_banner(request: HttpRequest, customer: BillingCustomer, notice: str) -> HttpResponseBase:
    """Close a banner for good, and go back to the page that showed it."""
    dismiss_notice(customer_id=customer.pk, notice=notice)
    back = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return redirect(back if is_ours else "billing:overview")
