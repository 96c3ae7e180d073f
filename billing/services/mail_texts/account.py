"""Mails about what somebody did with an account: a new API key, credits that staff gave or took."""

from django.utils.translation import gettext as _

from billing.money import format_credits
from billing.services.mail_texts.shapes import API_KEYS, LEDGER, WEBHOOKS, Link, Told, Words


def write_key_created(told: Told) -> Words:
    by_them = bool(told.payload.get("created_by_customer"))
    made = _("An API key of your account was rotated.") if told.payload.get("replaces") else _("An API key was made.")
    return Words(
        subject=_("A new API key: %(name)s") % {"name": told.text("name")},
        paragraphs=(
            made if by_them else _("Our staff made an API key for your account."),
            _("If you did not expect this, revoke it at once and change your password."),
        ),
        facts=(
            (_("Name"), told.text("name")),
            (_("Key"), told.text("shown")),
            (_("It may"), ", ".join(told.payload["scopes"])),
            told.when(),
        ),
        action=Link(_("See your API keys"), API_KEYS),
    )


def write_webhook_added(told: Told) -> Words:
    return Words(
        subject=_("A new webhook endpoint: %(host)s") % {"host": told.text("host")},
        paragraphs=(
            _("Events of your account are sent there from now on. It was added by you, or by an API key of yours."),
            _("If you did not expect this, delete it, revoke your API keys and change your password."),
        ),
        facts=(
            (_("Sent to"), told.text("host")),
            (_("Events"), ", ".join(told.payload["events"])),
            told.when(),
            told.reference("endpoint"),
        ),
        action=Link(_("See your webhooks"), WEBHOOKS),
    )


def write_webhook_rotated(told: Told) -> Words:
    return Words(
        subject=_("A webhook secret was rotated: %(host)s") % {"host": told.text("host")},
        paragraphs=(
            _("The secret of one of your webhook endpoints was rotated. The old one signs for a day more."),
            _("If you did not expect this, rotate it again and change your password."),
        ),
        facts=((_("Sent to"), told.text("host")), told.when(), told.reference("endpoint")),
        action=Link(_("See your webhooks"), WEBHOOKS),
    )


def write_adjustment(told: Told) -> Words:
    amount = told.number("amount")
    shown = format_credits(abs(amount))
    is_gift = amount > 0
    return Words(
        subject=(_("%(amount)s credits were added") if is_gift else _("%(amount)s credits were taken"))
        % {"amount": shown},
        paragraphs=(
            _("Our staff have added credits to your balance.")
            if is_gift
            else _("Our staff have taken credits from your balance."),
            _("If this is not what you expected, please contact support."),
        ),
        facts=(
            (_("Credits"), format_credits(amount, signed=True)),
            (_("Balance after"), told.credits("balance_after")),
            *told.reason(),
            told.when(),
            told.reference("adjustment"),
        ),
        action=Link(_("See your ledger"), LEDGER),
    )
