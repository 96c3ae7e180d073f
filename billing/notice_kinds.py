"""What customers and integrators are told of, and whether by mail (pure). docs/notices.md has the payload of each."""

from dataclasses import dataclass
from enum import StrEnum


class NoticeEvent(StrEnum):
    """A fact that is announced: its name in outgoing webhooks."""

    BALANCE_LOW = "balance.low"
    BALANCE_DEPLETED = "balance.depleted"
    BALANCE_DEBT = "balance.debt"
    BALANCE_RECOVERED = "balance.recovered"
    CREDITS_GRANTED = "credits.granted"
    CREDITS_CLAWED_BACK = "credits.clawed_back"
    CREDITS_EXPIRING = "credits.expiring"
    HOLD_EXPIRED = "hold.expired"
    PAYMENT_RECEIPT = "payment.receipt"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_REFUNDED = "payment.refunded"
    PAYMENT_DISPUTED = "payment.disputed"
    TOP_UP_FAILED = "top_up.failed"
    TOP_UP_PAUSED = "top_up.paused"
    TOP_UP_AUTHENTICATION_NEEDED = "top_up.authentication_needed"
    TOP_UP_TURNED_OFF = "top_up.turned_off"
    SUBSCRIPTION_UPDATED = "subscription.updated"
    SUBSCRIPTION_CANCELED = "subscription.canceled"
    SUBSCRIPTION_TRIAL_ENDING = "subscription.trial_ending"
    SUBSCRIPTION_PAYMENT_FAILED = "subscription.payment_failed"
    KEY_CREATED = "key.created"
    KEY_LIMIT_REACHED = "key.limit_reached"
    WEBHOOK_ADDED = "webhook.added"
    WEBHOOK_ROTATED = "webhook.rotated"
    ADJUSTMENT_MADE = "adjustment.made"


class NoticeTopic(StrEnum):
    """What a notice is about: it decides whether its mail can be switched off."""

    BALANCE = "balance"  # can be switched off
    MONEY = "money"  # cannot: what was charged, given back, or could not be charged
    SECURITY = "security"  # cannot: what somebody else may have done


@dataclass(frozen=True, slots=True)
class MailRule:
    """That an event is mailed, and whether the customer may switch that off."""

    topic: NoticeTopic

    @property
    def can_be_switched_off(self) -> bool:
        return self.topic is NoticeTopic.BALANCE


_BALANCE, _MONEY, _SECURITY = (MailRule(topic) for topic in NoticeTopic)
# An event that is not here is for webhooks alone.
MAIL_RULES = {
    NoticeEvent.BALANCE_LOW: _BALANCE,
    NoticeEvent.BALANCE_DEPLETED: _BALANCE,
    NoticeEvent.BALANCE_DEBT: _MONEY,
    NoticeEvent.CREDITS_EXPIRING: _BALANCE,
    NoticeEvent.PAYMENT_RECEIPT: _MONEY,
    NoticeEvent.PAYMENT_FAILED: _MONEY,
    NoticeEvent.PAYMENT_REFUNDED: _MONEY,
    NoticeEvent.PAYMENT_DISPUTED: _MONEY,
    NoticeEvent.TOP_UP_FAILED: _MONEY,
    NoticeEvent.TOP_UP_PAUSED: _MONEY,
    NoticeEvent.TOP_UP_AUTHENTICATION_NEEDED: _MONEY,
    NoticeEvent.TOP_UP_TURNED_OFF: _MONEY,
    NoticeEvent.SUBSCRIPTION_UPDATED: _MONEY,
    NoticeEvent.SUBSCRIPTION_CANCELED: _MONEY,
    NoticeEvent.SUBSCRIPTION_TRIAL_ENDING: _MONEY,
    NoticeEvent.SUBSCRIPTION_PAYMENT_FAILED: _MONEY,
    NoticeEvent.KEY_CREATED: _SECURITY,
    NoticeEvent.WEBHOOK_ADDED: _SECURITY,
    NoticeEvent.WEBHOOK_ROTATED: _SECURITY,
    NoticeEvent.ADJUSTMENT_MADE: _MONEY,
}
SWITCHABLE_EVENTS = frozenset(event for event, rule in MAIL_RULES.items() if rule.can_be_switched_off)
