"""What the frame of pages asks for: links, fields, facts from the settings."""

from dataclasses import dataclass
from decimal import Decimal

from django import template
from django.forms import BaseForm, BoundField, CheckboxInput
from django.template import Context
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from billing import conf
from billing.models import Payment
from billing.money import major_units
from billing.selectors.overview import is_open
from billing.selectors.payments import failed_attempt_messages

register = template.Library()


@dataclass(frozen=True, slots=True, kw_only=True)
class NavLink:
    """An address and whether the page being shown is that address or lies below it."""

    url: str
    is_current: bool


@register.simple_tag(takes_context=True)
def nav_link(context: Context, name: str) -> NavLink:
    """The link of the main navigation to the URL named; the overview is current on itself alone."""
    url = reverse(name)
    path = context["request"].path
    return NavLink(url=url, is_current=path == url or (path.startswith(url) and name != "billing:overview"))


@register.filter
def is_tick_box(field: BoundField) -> bool:
    """Whether the field's label goes behind it."""
    return isinstance(field.field.widget, CheckboxInput)


@register.filter
def faulty_fields(form: BaseForm) -> list[BoundField]:
    """The fields that people can see and have to look at again."""
    return [field for field in form.visible_fields() if field.errors]


@register.simple_tag
def signup_bonus() -> Decimal:
    """Credits that a new customer is given, 0 for none."""
    return conf.signup_bonus_credits()


@register.simple_tag
def local_mail_url() -> str:
    """Where a local installation shows the mails it did not send, or nothing elsewhere."""
    return conf.local_mail_url()


@register.simple_tag
def failures_of(payment: Payment) -> list[str]:
    """Why attempts to pay failed, the last one first."""
    return list(failed_attempt_messages(payment))[::-1]


@register.filter
def granted_credits(payment: Payment) -> Decimal:
    """What the payment brings, the bonus among it."""
    granted: Decimal = payment.credits + payment.bonus_credits
    return granted


@register.simple_tag
def continue_url(payment: Payment) -> str:
    """Where an unfinished checkout is taken up again; nothing once it is over."""
    if not is_open(payment, now=timezone.now()):
        return ""
    query = {"payment": payment.public_id}
    if payment.plan is not None:
        page = reverse("billing:plan", kwargs={"plan": payment.plan.slug})
    elif payment.pack is not None:
        page = reverse("billing:buy_pack", kwargs={"pack": payment.pack.slug})
        query |= {"save_card": "1"} if payment.saves_card else {}
    else:
        page = reverse("billing:buy_custom")
        query["amount"] = str(major_units(amount_minor=payment.amount_minor, currency=payment.currency))
    return f"{page}?{urlencode(query)}"
