"""Mails about plans."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.services.mail_texts.shapes import INVOICES, PLANS, Link, Told, Words

_SUBJECTS = {
    "started": gettext_lazy("Your plan %(plan)s has begun"),
    "trial_started": gettext_lazy("Your trial of %(plan)s has begun"),
    "upgraded": gettext_lazy("You are on %(plan)s now"),
    "downgraded": gettext_lazy("You are on %(plan)s now"),
    "change_scheduled": gettext_lazy("Your plan changes at the end of the period"),
    "change_unscheduled": gettext_lazy("You keep your plan %(plan)s"),
    "cancellation_scheduled": gettext_lazy("Your plan %(plan)s ends soon"),
    "resumed": gettext_lazy("Your plan %(plan)s goes on"),
    "paused": gettext_lazy("Your plan %(plan)s is paused"),
    "recovered": gettext_lazy("Your plan %(plan)s is paid again"),
}
_MEANINGS = {
    "started": gettext_lazy("Its credits come with each paid invoice."),
    "trial_started": gettext_lazy("Nothing was charged. We tell you before the trial ends."),
    "upgraded": gettext_lazy("An invoice has the difference for the rest of the period, and brings its credits."),
    "downgraded": gettext_lazy("Credits that you have bought stay as they are."),
    "change_scheduled": gettext_lazy("Until then nothing changes, and you can take the change back."),
    "change_unscheduled": gettext_lazy("The change that was to come was taken back. Your plan is renewed as before."),
    "cancellation_scheduled": gettext_lazy("Until then nothing changes, and you can resume it. Bought credits stay."),
    "resumed": gettext_lazy("It is renewed as before."),
    "paused": gettext_lazy("Nothing is charged, and no plan credits come in until it goes on."),
    "recovered": gettext_lazy("Your last invoice was collected. There is nothing to do."),
}
UNMAILED_CHANGES = ("renewed", "past_due", "ended")  # a receipt, a failed payment and a cancellation tell of them


def write_updated(told: Told) -> Words:
    change = told.text("change")
    subject = _SUBJECTS.get(change, gettext_lazy("Your plan %(plan)s has changed"))
    return Words(
        subject=str(subject) % {"plan": told.plan()},
        paragraphs=(str(_MEANINGS.get(change, gettext_lazy("Your plans page shows how it stands now."))),),
        facts=(*_plan(told), *_price(told), *_dates(told), told.when()),
        action=Link(_("See your plan"), PLANS),
    )


def write_canceled(told: Told) -> Words:
    return Words(
        subject=_("Your plan %(plan)s has ended") % {"plan": told.plan()},
        paragraphs=(
            _("Nothing is charged for it any more. Credits that you have bought stay yours."),
            _("You can subscribe again whenever you like."),
        ),
        facts=((_("Plan"), told.plan()), (_("Ended"), told.moment("ended_at"))),
        action=Link(_("See the plans"), PLANS),
    )


def write_trial_ending(told: Told) -> Words:
    return Words(
        subject=_("Your trial of %(plan)s ends on %(day)s") % {"plan": told.plan(), "day": told.day("trial_end")},
        paragraphs=(
            _("When the trial ends, your card is charged %(price)s, and the plan's credits come in.")
            % {"price": told.money()},
            _("To pay nothing, cancel before that moment."),
        ),
        facts=(
            (_("Plan"), told.plan()),
            (_("Will be charged"), told.money()),
            (_("The trial ends"), told.moment("trial_end")),
        ),
        action=Link(_("Keep or cancel it"), PLANS),
    )


def write_payment_failed(told: Told) -> Words:
    is_asked = bool(told.payload.get("action_needed"))
    again = ((_("Next try"), told.moment("next_try_at")),) if told.payload.get("next_try_at") else ()
    return Words(
        subject=(_("Confirm your payment of %(amount)s") if is_asked else _("We could not collect %(amount)s"))
        % {"amount": told.money()},
        paragraphs=(
            _("Your bank wants you to confirm this payment yourself.")
            if is_asked
            else _("Your card was declined. Please pay the invoice, or change your card."),
            _("Your plan stays for now. If the invoice stays unpaid, it ends."),
        ),
        facts=(
            (_("Plan"), told.plan()),
            (_("To pay"), told.money()),
            *told.reason(),
            *again,
            told.when(),
            (_("Invoice"), told.text("invoice")),
        ),
        action=Link(_("Pay the invoice"), told.text("url") or INVOICES),
    )


def _plan(told: Told) -> tuple[tuple[str, str], ...]:
    before = told.text("previous_plan")
    was = ((_("Before"), before),) if before and before != told.plan() else ()
    then = ((_("Afterwards"), told.text("next_plan")),) if told.payload.get("next_plan") else ()
    return ((_("Plan"), told.plan()), *was, *then)


def _price(told: Told) -> tuple[tuple[str, str], ...]:
    if told.payload.get("amount_minor") is None:
        return ()
    every = {"month": _("a month"), "year": _("a year")}.get(told.text("interval"), "")
    return ((_("Price"), f"{told.money()} {every}".strip()),)


def _dates(told: Told) -> tuple[tuple[str, str], ...]:
    if told.payload.get("cancel_at"):
        return ((_("Ends"), told.moment("cancel_at")),)
    return ((_("This period ends"), told.moment("period_end")),) if told.payload.get("period_end") else ()
