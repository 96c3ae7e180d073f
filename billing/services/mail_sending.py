"""Sends the outbox of mails: claim, send with no database transaction open, record.

A mail is sent at least once, and almost always exactly once: only a process that dies, or loses its database, between
the server's answer and the mark sends it again, a few minutes later, under the same Message-ID.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused

import structlog
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.utils import timezone

from billing import conf
from billing.models import MailState, OutgoingMail
from billing.services.mail_rendering import render_mail

MAX_TRIES = 10  # with these waits about a day
_FIRST_BACK_OFF = timedelta(minutes=1)
_BACK_OFF_GROWTH = 4
_LONGEST_BACK_OFF = timedelta(hours=4)
_LEASE = timedelta(minutes=5)  # whoever claims a mail has so long to send it; a server that answers takes seconds
_ROUND_SECONDS = 20.0  # the sweeper has other things to do
log = structlog.get_logger(__name__)


class _ServerAway(Exception):
    """The mail server cannot be reached or takes nothing of us now; the other mails would fare no better."""


def send_due_mails(*, limit: int = 500, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Send what is due, oldest first, until the mail server is away or the round is long enough; gives how many.

    Several at once share the work. No database transaction is open while the server is spoken to.
    """
    ends_at = time.monotonic() + _ROUND_SECONDS
    count = 0
    connection = get_connection()
    try:
        for _ in range(limit):
            if should_stop() or time.monotonic() > ends_at:
                break
            mail = _claim()
            if mail is None:
                break
            if mail.state == MailState.PENDING:
                count += _send(mail, connection=connection)
    except _ServerAway as error:
        log.warning("mail_server_away", error=str(error))
    finally:
        _close(connection)
    if count:
        log.info("mails_sent", count=count)
    return count


def message_id_of(mail: OutgoingMail) -> str:
    """The same for every try, so that a mailbox or a person knows a mail that came twice."""
    return f"<{mail.public_id}@{conf.mail_domain()}>"


def _claim() -> OutgoingMail | None:
    """Take one due mail: counting the try and moving its next one ahead keeps others off, and survives a crash."""
    with transaction.atomic(durable=True):
        now = timezone.now()
        due = OutgoingMail.objects.filter(state=MailState.PENDING, next_try_at__lte=now)
        mail = due.select_for_update(skip_locked=True).order_by("next_try_at", "pk").first()
        if mail is None:
            return None
        if mail.tries >= MAX_TRIES:  # the last try ended with its process
            _bury(mail, reason="Its last try did not come to an end.")
            return mail
        mail.tries += 1
        mail.next_try_at = now + _LEASE
        mail.save(update_fields=["tries", "next_try_at"])
    return mail


def _send(mail: OutgoingMail, *, connection: BaseEmailBackend) -> bool:
    """Send a claimed mail and write down how that ended; whether it was sent."""
    try:
        message = _message(mail, connection=connection)
        connection.open()  # one for the round: a message opens and closes its own otherwise
        message.send()
    except (SMTPRecipientsRefused, SMTPDataError) as error:
        _record_failure(mail, error=error, is_final=_is_final(error))
        return False
    except OSError as error:  # also what smtplib raises where it is not about this mail: all of them have our sender
        _record_failure(mail, error=error, is_final=False)
        _close(connection)
        raise _ServerAway(type(error).__name__) from error
    except Exception as error:  # a fault of ours with this one mail
        log.exception("mail_not_made", alarm=True, mail=mail.public_id, error=type(error).__name__)
        _record_failure(mail, error=error, is_final=False)
        return False
    OutgoingMail.objects.filter(pk=mail.pk).update(
        state=MailState.SENT, sent_at=timezone.now(), next_try_at=None, last_error="", subject=message.subject[:300]
    )
    return True


def _message(mail: OutgoingMail, *, connection: BaseEmailBackend) -> EmailMultiAlternatives:
    words = render_mail(mail)
    message = EmailMultiAlternatives(
        subject=words.subject,
        body=words.text,
        to=[mail.to],
        connection=connection,
        headers={"Message-ID": message_id_of(mail), "Auto-Submitted": "auto-generated", **words.headers},
    )
    if words.html:
        message.attach_alternative(words.html, "text/html")
    return message


def _is_final(error: SMTPRecipientsRefused | SMTPDataError) -> bool:
    """Whether the server has said that this mail will never be taken (RFC 5321, 4.2.1: 5yz)."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return error.smtp_code >= 500


def _record_failure(mail: OutgoingMail, *, error: Exception, is_final: bool) -> None:
    """The next try, or none: then staff see it, and may send it again."""
    mail.last_error = f"{type(error).__name__}: {error}".replace("\x00", "")[:500]
    if is_final or mail.tries >= MAX_TRIES:
        _bury(mail, reason=mail.last_error)
    else:
        mail.next_try_at = timezone.now() + _back_off(tries=mail.tries)
        mail.save(update_fields=["last_error", "next_try_at"])


def _bury(mail: OutgoingMail, *, reason: str) -> None:
    mail.state, mail.next_try_at, mail.last_error = MailState.DEAD, None, reason
    mail.save(update_fields=["state", "next_try_at", "last_error"])
    log.error("mail_dead", alarm=True, mail=mail.public_id, kind=mail.kind, reason=reason.partition(":")[0])


def _back_off(*, tries: int) -> timedelta:
    growth: int = _BACK_OFF_GROWTH ** (tries - 1)
    return min(_FIRST_BACK_OFF * growth, _LONGEST_BACK_OFF)


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except OSError as error:
        log.info("mail_connection_lost", error=type(error).__name__)
