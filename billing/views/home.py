"""The front page for strangers."""

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from billing import conf
from billing.money import ZERO
from billing.selectors.shop import offer_of_pack, packs_for_sale


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    """What Prepaid is and what credits cost; who is logged in goes to the overview."""
    if request.user.is_authenticated:
        return redirect("billing:overview")
    packs = packs_for_sale() if conf.is_billing_enabled() else []
    offers = [offer_of_pack(pack=pack, posted=ZERO, held=ZERO) for pack in packs]
    return render(request, "billing/home.html", {"offers": offers, "credits_per_usd": conf.credits_per_usd()})
