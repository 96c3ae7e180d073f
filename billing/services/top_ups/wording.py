"""The words of automatic top-up: what a customer agrees to, and why it is not on."""

from dataclasses import dataclass
from hashlib import sha256

from django.utils.translation import get_language, gettext, ngettext

from billing.models import AutoTopUp, CreditPack, TopUpCause
from billing.money import format_credits, format_money
from billing.top_up_rules import Obstacle


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A text as it is shown, in its language. The digest names both: a form that comes back says what was read."""

    text: str
    language: str

    @property
    def digest(self) -> str:
        return sha256(f"{self.language}\x1f{self.text}".encode()).hexdigest()


def word_consent(*, pack: CreditPack, threshold_text: str, ceiling_minor: int, card: str, is_taxed: bool) -> Wording:
    """What a customer agrees to, in the language of the page."""
    sentences = [
        gettext(
            "I allow my %(card)s to be charged %(price)s, without asking me each time, whenever spending takes my "
            "available credits below %(threshold)s. For each charge I get %(credits)s credits."
        )
        % {
            "card": card,
            "price": format_money(amount_minor=pack.price_minor, currency=pack.currency),
            "threshold": threshold_text,
            "credits": format_credits(pack.credits + pack.bonus_credits),
        },
        _word_lifetime(pack.lifetime_days),
        gettext("Tax is added where it is due, and counts towards the limit.") if is_taxed else "",
        gettext(
            "At most %(ceiling)s is charged in a calendar month (UTC), and never twice within five minutes. I can turn "
            "this off at any time."
        )
        % {"ceiling": format_money(amount_minor=ceiling_minor, currency=pack.currency)},
    ]
    return Wording(text=" ".join(filter(None, sentences)), language=get_language() or "")


def _word_lifetime(days: int | None) -> str:
    if days is None:
        return ""
    return ngettext("They expire %(days)s day after that.", "They expire %(days)s days after that.", days) % {
        "days": days
    }


def card_name(top_up: AutoTopUp) -> str:
    """A saved card as people know it; empty without one."""
    if not top_up.payment_method_id:
        return ""
    brand = top_up.card_brand.replace("_", " ").title() or gettext("Card")
    return gettext("%(brand)s ending in %(digits)s") % {"brand": brand, "digits": top_up.card_last_four}


def reason_of(cause: str) -> str:
    """Why automatic top-up is not on, as a sentence for the customer."""
    match cause:
        case TopUpCause.CUSTOMER:
            return gettext("You turned it off.")
        case TopUpCause.STAFF:
            return gettext("Our staff turned it off.")
        case TopUpCause.DECLINED:
            return gettext("Your card was declined three times in a row.")
        case TopUpCause.AUTHENTICATION:
            return gettext("Your bank wants you to confirm the payment yourself.")
        case TopUpCause.REFUSED:
            return gettext("The payment could not be made with your saved card.")
        case TopUpCause.DISPUTE:
            return gettext("One of your payments was disputed at the bank.")
        case TopUpCause.FRAUD_WARNING:
            return gettext("The bank of the card asked about one of your payments.")
        case TopUpCause.REFUND:
            return gettext("One of your payments was refunded. Please confirm that you still want automatic top-up.")
        case TopUpCause.TERMS_CHANGED:
            return gettext("The price or the credits of your pack have changed. Please look at the new terms.")
        case TopUpCause.PACK_GONE:
            return gettext("Your pack is not sold any more. Please choose another one.")
        case TopUpCause.CARD_CHANGED:
            return gettext("Another card was saved. Please confirm that it may be charged.")
        case TopUpCause.CARD_REMOVED:
            return gettext("Your saved card was removed.")
        case TopUpCause.CUSTOMER_GONE:
            return gettext("Your saved card is not there any more.")
        case TopUpCause.ACCOUNT_CLOSED:
            return gettext("Your account was closed.")
        case TopUpCause.LIMIT_TOO_LOW:
            return gettext("With tax one pack costs more than your limit for a month. Please choose a higher one.")
    return ""


def obstacle_of(obstacle: Obstacle) -> str:
    """Why a top-up that spending has asked for is not made yet, as a sentence for the customer."""
    match obstacle:
        case Obstacle.NOTHING_SOLD:
            return gettext("Nothing is sold at the moment.")
        case Obstacle.FROZEN:
            return gettext("Your spending is frozen.")
        case Obstacle.CLAW_BACK_DEBT:
            return gettext("You owe credits of a payment whose money went back.")
        case Obstacle.ATTEMPT_OPEN:
            return gettext("We are finding out what became of the last payment.")
        case Obstacle.REFUND_OPEN:
            return gettext("One of your payments is being refunded.")
        case Obstacle.TOO_SOON:
            return gettext("The last try was not long ago.")
        case Obstacle.CEILING:
            return gettext("Your limit for this month is used up.")
    return ""
