"""Makes a mail of its words: text and HTML say the same, in one frame."""

from dataclasses import dataclass, field

from django.core import signing
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing import conf
from billing.models import OutgoingMail
from billing.notice_kinds import MAIL_RULES, NoticeEvent, NoticeTopic
from billing.services.mail_texts.registry import words_of
from billing.services.mail_texts.shapes import SETTINGS, Link

_SALT = "billing.unsubscribe"


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """What goes to the mail server."""

    subject: str
    text: str
    html: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def render_mail(mail: OutgoingMail) -> RenderedMail:
    """The mail as it is sent now."""
    if mail.notice is None:
        return RenderedMail(subject=_one_line(mail.subject), text=mail.text)
    event = NoticeEvent(mail.notice.event)
    with override(None):
        words = words_of(mail.notice)
        unsubscribe = unsubscribe_url(customer=mail.notice.customer.public_id, event=event)
        context = {
            "words": words,
            "action": _absolute(words.action),
            "more": _absolute(words.more) if words.more else None,
            "footer": _why(event),
            "unsubscribe_url": unsubscribe,
            "settings_url": conf.site_url() + SETTINGS,
            "site_url": conf.site_url(),
        }
        text = render_to_string("mail/notice.txt", context)
        html = render_to_string("mail/notice.html", context)
    return RenderedMail(
        subject=_one_line(words.subject), text=text, html=html, headers=_unsubscribe_headers(unsubscribe)
    )


def unsubscribe_url(*, customer: str, event: NoticeEvent) -> str:
    """Where one click switches the event's mails off, without a login; empty where that cannot be."""
    if not MAIL_RULES[event].can_be_switched_off:
        return ""
    token = signing.Signer(salt=_SALT).sign_object([customer, event.value])
    return f"{conf.site_url()}/billing/unsubscribe/{token}/"


def read_unsubscribe_token(token: str) -> tuple[str, NoticeEvent] | None:
    """Whom (`cust_…`) and what a link of ours is about; None where it is not ours. Links do not lapse."""
    try:
        customer, event = signing.Signer(salt=_SALT).unsign_object(token)
        return str(customer), NoticeEvent(event)
    except (signing.BadSignature, ValueError, TypeError):
        return None


def _unsubscribe_headers(url: str) -> dict[str, str]:
    """One click in the mail program: RFC 8058."""
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if url else {}


def _why(event: NoticeEvent) -> str:
    match MAIL_RULES[event].topic:
        case NoticeTopic.MONEY:
            return _("You get this mail because it is about your money. It cannot be switched off.")
        case NoticeTopic.SECURITY:
            return _("You get this mail to keep your account safe. It cannot be switched off.")
        case NoticeTopic.BALANCE:
            return _("You get this mail because your account has credits with us.")


def _absolute(link: Link) -> Link:
    return Link(link.label, conf.site_url() + link.url) if link.url.startswith("/") else link


def _one_line(subject: str) -> str:
    """A name that somebody chose may hold anything; a header may not."""
    return " ".join(subject.split())[:300]
