"""Mails about the balance: low, empty, in debt, and credits that lapse."""

from django.utils.translation import gettext as _

from billing.services.mail_texts.shapes import LEDGER, OVERVIEW, Link, Told, Words


def write_low(told: Told) -> Words:
    left = told.short_credits("posted")
    return Words(
        subject=_("Your balance is low: %(left)s credits left") % {"left": left},
        paragraphs=(
            _("Your balance has fallen below %(threshold)s credits.") % {"threshold": told.credits("threshold")},
            _("Requests go on until your credits are used up. Buy credits in time to keep them going.")
            if told.may_buy
            else _("Requests go on until your credits are used up."),
        ),
        facts=((_("Credits left"), left), told.when()),
        action=told.shop(),
    )


def write_depleted(told: Told) -> Words:
    return Words(
        subject=_("Your credits are used up"),
        paragraphs=(
            _("Your balance has reached zero."),
            _("Requests that cost credits are refused (HTTP 402) until credits come in."),
        ),
        facts=((_("Credits left"), told.credits("posted")), told.when()),
        action=told.shop(),
    )


def write_debt(told: Told) -> Words:
    return Words(
        subject=_("You owe %(debt)s credits") % {"debt": told.credits("debt")},
        paragraphs=(
            _("Your balance is below zero: work cost more than was left, or money of a payment went back."),
            _("The next credits that come in, such as your next purchase, repay this first."),
        ),
        facts=((_("Owed"), _("%(debt)s credits") % {"debt": told.credits("debt")}), told.when()),
        action=told.shop(),
        more=Link(_("See why in your ledger"), LEDGER),
    )


def write_expiring(told: Told) -> Words:
    return Words(
        subject=_("%(amount)s credits expire on %(day)s") % {"amount": told.credits(), "day": told.day("expires_at")},
        paragraphs=(
            _("Credits that you have not used yet expire soon. Spending takes the ones that expire first."),
            _("Nothing is charged, and your other credits stay."),
        ),
        facts=(
            (_("Expiring"), _("%(amount)s credits") % {"amount": told.credits()}),
            (_("From"), told.kind()),
            (_("They expire"), told.moment("expires_at")),
        ),
        action=Link(_("See your balance"), OVERVIEW),
    )
