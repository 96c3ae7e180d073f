"""Mails about automatic top-up: nothing about it may go unnoticed."""

from django.utils.translation import gettext as _

from billing.services.mail_texts.shapes import TOP_UP, Link, Told, Words


def write_failed(told: Told) -> Words:
    again = (_("Next try"), told.moment("retry_at")) if told.payload.get("retry_at") else None
    return Words(
        subject=_("Automatic top-up of %(amount)s failed") % {"amount": told.money()},
        paragraphs=(
            _("Your card was declined. Nothing was charged, and no credits were added."),
            _("We try again by ourselves. To be safe, check your card, or buy credits by hand."),
        ),
        facts=(
            (_("Not charged"), told.money()),
            (_("Credits not added"), told.credits("credits")),
            *told.reason(),
            *((again,) if again else ()),
            told.when(),
            told.reference(),
        ),
        action=Link(_("Check your automatic top-up"), TOP_UP),
    )


def write_paused(told: Told) -> Words:
    return Words(
        subject=_("Automatic top-up is paused"),
        paragraphs=(_("Nothing is charged by itself until you confirm your automatic top-up again."),),
        facts=(*told.reason(), told.when()),
        action=Link(_("Confirm or change it"), TOP_UP),
    )


def write_authentication_needed(told: Told) -> Words:
    return Words(
        subject=_("Confirm your top-up of %(amount)s") % {"amount": told.money()},
        paragraphs=(
            _("Your bank wants you to confirm this payment yourself. Nothing was charged yet."),
            _("Automatic top-up is paused until then. It takes a minute, on our own page."),
        ),
        facts=(
            (_("To pay"), told.money()),
            (_("Credits"), told.credits("credits")),
            told.when(),
            told.reference(),
        ),
        action=Link(_("Confirm the payment"), told.text("url") or TOP_UP),
    )


def write_turned_off(told: Told) -> Words:
    return Words(
        subject=_("Automatic top-up is off"),
        paragraphs=(
            _("Automatic top-up has turned itself off and does not come back by itself. Nothing is charged any more."),
            _("Watch your balance, buy credits by hand, or set it up again."),
        ),
        facts=(*told.reason(), told.when()),
        action=Link(_("Set it up again"), TOP_UP),
    )
