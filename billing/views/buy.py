"""The shop: the packs, and the page that mounts Stripe's checkout for one of them."""

from dataclasses import dataclass
from decimal import Decimal

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from billing import conf
from billing.errors import NothingSold, PackUnavailable
from billing.forms import CustomAmountForm
from billing.models import BillingCustomer
from billing.money import credits_for_minor
from billing.selectors.selling import sells_to
from billing.selectors.shop import available_after_purchase, find_pack_for_sale, offer_of_pack, packs_for_sale
from billing.services.orders import CUSTOM_CURRENCY
from billing.views.access import customer_page
from billing.views.balance import balance_of_page
from billing.views.checkout import CUSTOM_SLUG, create_checkout, new_form_key
from billing.views.csp import checkout_csp
from billing.views.refusals import answer_refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the checkout page is about to sell; the server prices it again when the checkout opens."""

    name: str
    credits: Decimal
    price_minor: int
    currency: str
    amount: str = ""
    lifetime_days: int | None = None
    saves_card: bool = False
    can_save_card: bool = False


@require_safe
@customer_page
def buy(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """All packs, with what each makes of the balance, and an amount of one's own."""
    return _render_shop(request, customer, custom_form=CustomAmountForm())


@require_http_methods(["GET", "HEAD", "POST"])
@checkout_csp
@customer_page
def buy_pack(request: HttpRequest, customer: BillingCustomer, pack: str) -> HttpResponseBase:
    """The checkout of one pack; its form is sent to the same address and opens the checkout at Stripe.

    A payment of one's own that is still open is taken up where it was left.
    """
    if request.method == "POST":
        return create_checkout(request, customer, pack)
    chosen = find_pack_for_sale(slug=pack)
    if not sells_to(customer):
        return answer_refusal(request, NothingSold())
    if chosen is None:
        return answer_refusal(request, PackUnavailable(pack=pack))
    order = Order(
        name=chosen.name,
        credits=chosen.credits + chosen.bonus_credits,
        price_minor=chosen.price_minor,
        currency=chosen.currency,
        lifetime_days=chosen.lifetime_days,
        saves_card=request.GET.get("save_card") == "1",
        can_save_card=True,
    )
    return _render_checkout(request, customer, order)


@require_http_methods(["GET", "HEAD", "POST"])
@checkout_csp
@customer_page
def buy_custom(request: HttpRequest, customer: BillingCustomer) -> HttpResponseBase:
    """The checkout of an amount of one's own; an amount that cannot be bought goes back to the shop with the reason."""
    if request.method == "POST":
        return create_checkout(request, customer, CUSTOM_SLUG)
    form = CustomAmountForm(request.GET)
    if not form.is_valid() or not sells_to(customer):
        return _render_shop(request, customer, custom_form=form, status=400)
    credits = credits_for_minor(
        amount_minor=form.amount_minor, currency=CUSTOM_CURRENCY, credits_per_usd=conf.credits_per_usd()
    )
    order = Order(
        name="",
        credits=credits,
        price_minor=form.amount_minor,
        currency=CUSTOM_CURRENCY,
        amount=str(form.cleaned_data["amount"]),
    )
    return _render_checkout(request, customer, order)


def _render_shop(
    request: HttpRequest, customer: BillingCustomer, *, custom_form: CustomAmountForm, status: int = 200
) -> HttpResponseBase:
    if custom_form.errors:  # the field stands at the end of a long page
        custom_form.fields["amount"].widget.attrs["data-focus"] = True
    balance = balance_of_page(request, customer=customer, now=timezone.now())
    context = {
        "balance": balance,
        "balance_before": balance.posted - balance.held,
        "offers": [offer_of_pack(pack=pack, posted=balance.posted, held=balance.held) for pack in packs_for_sale()],
        "is_selling": sells_to(customer),
        "has_details": customer.details_saved_at is not None,
        "custom_form": custom_form,
        "minimum": custom_form.least,
        "maximum": custom_form.most,
        "credits_per_usd": conf.credits_per_usd(),
    }
    return render(request, "billing/buy.html", context, status=status)


def _render_checkout(request: HttpRequest, customer: BillingCustomer, order: Order) -> HttpResponseBase:
    balance = balance_of_page(request, customer=customer, now=timezone.now())
    context = {
        "order": order,
        "balance": balance,
        "available_after": available_after_purchase(credits=order.credits, posted=balance.posted, held=balance.held),
        "debt_repaid": min(balance.debt, order.credits),
        "form_key": new_form_key(request, customer),
        "publishable_key": conf.stripe_publishable_key(),
        "stripe_js_url": conf.stripe_js_url(),
    }
    return render(request, "billing/checkout.html", context)
