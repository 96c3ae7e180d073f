"""Plans and invoices in plain words."""

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing.models import InvoiceStatus, Plan, SubscriptionStatus
from billing.models.plan import PlanInterval, Rollover
from billing.money import format_credits
from billing.selectors.plan_limits import PlanLimits

register = template.Library()
_INVOICES: dict[str, tuple[str | Promise, str]] = {
    InvoiceStatus.OPEN: (gettext_lazy("Unpaid"), "warn"),
    InvoiceStatus.PAID: (gettext_lazy("Paid"), "good"),
    InvoiceStatus.VOID: (gettext_lazy("Void"), "note"),
    InvoiceStatus.UNCOLLECTIBLE: (gettext_lazy("Given up"), "bad"),
}


@register.filter
def invoice_label(status: str) -> str:
    """The state of an invoice for people."""
    return str(_INVOICES[status][0]) if status in _INVOICES else status.replace("_", " ").capitalize()


@register.filter
def invoice_badge(status: str) -> str:
    """The badge's class for it; the word stands beside it."""
    return _INVOICES[status][1] if status in _INVOICES else "note"


@register.filter
def subscription_label(status: str) -> str:
    """The state of a subscription for people; a word of Stripe's that we do not know stays as it is."""
    known = {str(each.value): str(each.label) for each in SubscriptionStatus}
    return known.get(status, status.replace("_", " ").capitalize())


@register.filter
def plan_limit_lines(limits: PlanLimits) -> list[str]:
    """What the plan limits, a line for each; what it does not limit is left out."""
    lines = []
    if limits.requests_per_minute is not None:
        text = ngettext(
            "%(n)s request a minute for each key",
            "%(n)s requests a minute for each key",
            limits.requests_per_minute,
        )
        lines.append(text % {"n": f"{limits.requests_per_minute:,}"})
    if limits.max_call_tokens is not None:
        lines.append(_("Up to %(n)s tokens in one call") % {"n": f"{limits.max_call_tokens:,}"})
    if limits.models_allowed:
        lines.append(_("Models: %(names)s") % {"names": ", ".join(limits.models_allowed)})
    if limits.max_api_keys is not None:
        text = ngettext("%(n)s live API key", "%(n)s live API keys", limits.max_api_keys)
        lines.append(text % {"n": limits.max_api_keys})
    return lines


@register.filter
def rollover_line(plan: Plan) -> str:
    """What becomes of credits that are left when the next ones come."""
    if plan.is_free or plan.rollover == Rollover.NONE:
        return _("Unused credits end with the period")
    if plan.rollover == Rollover.UNLIMITED or plan.rollover_cap is None:
        return _("Unused credits carry over")
    return _("Up to %(cap)s unused credits carry over") % {"cap": format_credits(plan.rollover_cap)}


@register.filter
def per_interval(interval: str) -> str:
    """How often it is paid."""
    return _("a year") if interval == PlanInterval.YEAR else _("a month")
