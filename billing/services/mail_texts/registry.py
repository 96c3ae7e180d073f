"""Which function writes the mail of an event, and which notices of an event are mailed at all."""

from billing.models import Notice, Payment
from billing.notice_kinds import NoticeEvent
from billing.selectors.selling import sells_to
from billing.services.mail_texts import account, balance, payments, subscriptions, top_ups
from billing.services.mail_texts.shapes import Told, Words, Writer

WRITERS: dict[NoticeEvent, Writer] = {
    NoticeEvent.BALANCE_LOW: balance.write_low,
    NoticeEvent.BALANCE_DEPLETED: balance.write_depleted,
    NoticeEvent.BALANCE_DEBT: balance.write_debt,
    NoticeEvent.CREDITS_EXPIRING: balance.write_expiring,
    NoticeEvent.PAYMENT_RECEIPT: payments.write_receipt,
    NoticeEvent.PAYMENT_FAILED: payments.write_failed,
    NoticeEvent.PAYMENT_REFUNDED: payments.write_refunded,
    NoticeEvent.PAYMENT_DISPUTED: payments.write_disputed,
    NoticeEvent.TOP_UP_FAILED: top_ups.write_failed,
    NoticeEvent.TOP_UP_PAUSED: top_ups.write_paused,
    NoticeEvent.TOP_UP_AUTHENTICATION_NEEDED: top_ups.write_authentication_needed,
    NoticeEvent.TOP_UP_TURNED_OFF: top_ups.write_turned_off,
    NoticeEvent.SUBSCRIPTION_UPDATED: subscriptions.write_updated,
    NoticeEvent.SUBSCRIPTION_CANCELED: subscriptions.write_canceled,
    NoticeEvent.SUBSCRIPTION_TRIAL_ENDING: subscriptions.write_trial_ending,
    NoticeEvent.SUBSCRIPTION_PAYMENT_FAILED: subscriptions.write_payment_failed,
    NoticeEvent.KEY_CREATED: account.write_key_created,
    NoticeEvent.WEBHOOK_ADDED: account.write_webhook_added,
    NoticeEvent.WEBHOOK_ROTATED: account.write_webhook_rotated,
    NoticeEvent.ADJUSTMENT_MADE: account.write_adjustment,
}

_LEADING_TO_SHOP = (
    NoticeEvent.BALANCE_LOW,
    NoticeEvent.BALANCE_DEPLETED,
    NoticeEvent.BALANCE_DEBT,
    NoticeEvent.PAYMENT_FAILED,
)


def has_mail(notice: Notice) -> bool:
    """Whether a notice is mailed. One fall through several lines makes several notices and one mail, of the deepest."""
    if notice.event not in WRITERS:
        return False
    told = Told(payload=notice.payload, occurred_at=notice.occurred_at)
    match NoticeEvent(notice.event):
        case NoticeEvent.BALANCE_LOW:
            return told.number("posted") > 0
        case NoticeEvent.BALANCE_DEPLETED:
            return told.number("posted") == 0
        case NoticeEvent.SUBSCRIPTION_UPDATED:
            return told.text("change") not in subscriptions.UNMAILED_CHANGES
    return True


def words_of(notice: Notice) -> Words:
    """What the mail of a notice says."""
    payload, receipt_url = notice.payload, ""
    if notice.event == NoticeEvent.PAYMENT_RECEIPT:  # what Stripe told after the fact: the tax, and its own receipt
        paid = Payment.objects.filter(customer_id=notice.customer_id, public_id=payload.get("payment")).first()
        if paid is not None:
            payload, receipt_url = {**payload, "tax_minor": paid.paid_tax_minor}, paid.receipt_url
    may_buy = notice.event not in _LEADING_TO_SHOP or sells_to(notice.customer)
    told = Told(payload=payload, occurred_at=notice.occurred_at, receipt_url=receipt_url, may_buy=may_buy)
    return WRITERS[NoticeEvent(notice.event)](told)
