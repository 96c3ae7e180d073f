"""The page on which a voucher's code becomes credits."""

from uuid import uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from billing.errors import BillingError, VoucherGuessesExceeded
from billing.forms import RedeemForm
from billing.models import BillingCustomer
from billing.money import format_credits
from billing.services.vouchers import Redeemed, redeem_voucher
from billing.views.access import customer_page
from billing.views.checkout import hash_address
from billing.views.refusals import STATUSES


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("code")
@customer_page
def redeem(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """A form for a code, which a link may bring along as `?code=`; nothing is redeemed before it is sent."""
    if request.method != "POST":
        form = RedeemForm(initial={"code": request.GET.get("code", "")[:100], "form_key": uuid4().hex})
        return render(request, "billing/redeem.html", {"form": form})
    form, status, wait = RedeemForm(request.POST), 400, 0
    if form.is_valid():
        try:
            redeemed = redeem_voucher(
                customer=customer,
                code=form.cleaned_data["code"],
                request_key=f"form:{form.cleaned_data['form_key'].hex}",
                network_hash=hash_address(request),
            )
        except BillingError as refusal:
            form.add_error("code", str(refusal))
            status = STATUSES.get(refusal.code, 400)
            if isinstance(refusal, VoucherGuessesExceeded):
                wait = refusal.retry_after_seconds
        else:
            messages.success(request, _message(redeemed))
            return redirect("billing:overview")
    page = render(request, "billing/redeem.html", {"form": form}, status=status)
    if wait:
        page["Retry-After"] = str(wait)
    return page


def _message(redeemed: Redeemed) -> str:
    """What came in, the balance after it, and until when it can be spent."""
    entry = redeemed.redemption.entry
    added = ngettext(
        "%(amount)s credit was added. Your balance is %(balance)s.",
        "%(amount)s credits were added. Your balance is %(balance)s.",
        1 if entry.amount == 1 else 2,
    ) % {"amount": format_credits(entry.amount), "balance": format_credits(entry.balance_after)}
    expires_at = entry.grant.expires_at
    if expires_at is None:
        return added
    return f"{added} " + _("The new ones expire on %(day)s.") % {"day": date_format(expires_at, "j M Y")}
