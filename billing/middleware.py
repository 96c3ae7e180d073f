"""What every page of a signed-in user is told about credits, so that nobody learns by a refusal that they ran out."""

from collections.abc import Callable
from functools import partial

from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from billing.context_processors import balance_of_request
from billing.selectors.balances import Balance
from billing.selectors.selling import sells_to_user
from billing.views.notice_banners import banners_of_request


class CreditNoticeMiddleware:
    """`request.credit_notice`: the user's balance where a page should warn of it, else nothing.

    `request.may_buy`: whether that warning, and buttons on pages, may lead to the shop.
    `request.notice_banners`: what the user was told and has not closed (block `notice_banners`).

    It is read when a template asks for it, and shares the header's reading: a page that shows neither asks for neither.
    The frame (`templates/base.html`) warns in words; a page that warns by itself empties the block `credit_notice`.
    Pages may always be read. What spends is guarded by `billing.credits.spends_credits` or `require_credits`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        def read() -> Balance | None:
            balance = balance_of_request(request)
            return balance if balance is not None and balance.standing != "fine" else None

        request.may_buy = SimpleLazyObject(lambda: sells_to_user(request.user.pk))  # type: ignore[attr-defined]
        request.credit_notice = SimpleLazyObject(read)  # type: ignore[attr-defined]
        request.notice_banners = SimpleLazyObject(partial(banners_of_request, request))  # type: ignore[attr-defined]
        return self.get_response(request)
