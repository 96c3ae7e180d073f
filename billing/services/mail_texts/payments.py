"""Mails about payments: receipt, failure, refund, dispute."""

from django.utils.translation import gettext as _

from billing.services.mail_texts.shapes import BUY, LEDGER, OVERVIEW, PAYMENTS, Link, Told, Words


def write_receipt(told: Told) -> Words:
    tax = ((_("Including tax"), told.money("tax_minor")),) if told.payload.get("tax_minor") else ()
    credits = ((_("Credits"), told.credits("credits")),) if told.payload.get("credits") else ()
    news = _("We have received your payment, and your credits are ready to be spent.")
    if not credits:
        news = _("We have received your payment. The credits of your plan come with it.")
    return Words(
        subject=_("Receipt: %(amount)s for %(description)s")
        % {"amount": told.money(), "description": told.text("description")},
        paragraphs=(f"{_('Thank you.')} {news}",),
        facts=(
            (_("For"), told.text("description")),
            (_("Paid"), told.money()),
            *tax,
            *credits,
            told.when(),
            told.reference(),
        ),
        action=Link(_("See your payments"), PAYMENTS),
        more=Link(_("Receipt of the payment provider"), told.receipt_url) if told.receipt_url else None,
    )


def write_failed(told: Told) -> Words:
    again = (_("Please try again, with another way to pay if it fails once more."),) if told.may_buy else ()
    return Words(
        subject=_("Your payment of %(amount)s failed") % {"amount": told.money()},
        paragraphs=(
            _("Your bank did not complete this payment. Nothing was charged, and no credits were added."),
            *again,
        ),
        facts=(
            (_("For"), told.text("description")),
            (_("Not charged"), told.money()),
            *told.reason(),
            told.when(),
            told.reference(),
        ),
        action=Link(_("Try again"), BUY) if told.may_buy else told.shop(),
    )


def write_refunded(told: Told) -> Words:
    refunded, so_far = told.money(), told.money("refunded_minor")
    total = ((_("Refunded so far"), so_far),) if so_far != refunded else ()
    to_balance = told.payload.get("to_balance_minor")
    is_part = bool(to_balance) and to_balance != told.payload.get("amount_minor")
    where = _("We have given money back to you. Your bank usually shows it within five to ten days.")
    note = told.text("credit_note")
    if note:
        where = _("We have given money back to you, outside of your card.")
    if is_part:
        where = _("We have given money back to you: a part onto your account, the rest outside of your card.")
    elif to_balance:
        where = _("We have put money back on your account. It pays for your next invoices, before your card does.")
    return Words(
        subject=_("Refund: %(amount)s") % {"amount": refunded},
        paragraphs=(
            where,
            _("The credits that it had paid for were taken back; your ledger shows how many."),
        ),
        facts=(
            (_("Refunded"), refunded),
            *(((_("Of that onto your account"), told.money("to_balance_minor")),) if is_part else ()),
            *(((_("Credit note"), note),) if note else ()),
            *total,
            (_("Of the payment for"), told.text("description")),
            told.when(),
            told.reference(),
        ),
        action=Link(_("See your ledger"), LEDGER),
    )


def write_disputed(told: Told) -> Words:
    subject, paragraphs = _DISPUTES.get(told.text("status"), _opened)(told)
    return Words(
        subject=subject,
        paragraphs=paragraphs,
        facts=(
            (_("For"), told.text("description")),
            (_("Disputed"), told.money()),
            told.when(),
            told.reference(),
        ),
        action=Link(_("See your balance"), OVERVIEW),
    )


def _opened(told: Told) -> tuple[str, tuple[str, ...]]:
    hold = (_("Until it is settled, spending is on hold and requests are refused."),) if told.payload["frozen"] else ()
    return _("A payment of %(amount)s is disputed") % {"amount": told.money()}, (
        _("Your bank says that you dispute this payment. Its credits are taken back while the bank has the money."),
        *hold,
        _("If this is a mistake, ask your bank to withdraw the dispute, and tell our support."),
    )


def _won(told: Told) -> tuple[str, tuple[str, ...]]:
    return _("The dispute about %(amount)s is over: the payment stands") % {"amount": told.money()}, (
        _("Your bank has decided that the payment stands. Credits that were taken back for it return to your balance."),
    )


def _lost(told: Told) -> tuple[str, tuple[str, ...]]:
    return _("The dispute about %(amount)s is over: you have the money back") % {"amount": told.money()}, (
        _("Your bank has given you the money back. The credits that it had paid for stay taken back."),
        _("If you owe credits since then, your next purchase repays them first."),
    )


_DISPUTES = {"won": _won, "lost": _lost}
