"""The mail that the product sent: shows the .eml files of a folder."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from html import unescape
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.html import strip_tags

from sandbox.stripe.handler import render_page, sandbox_of

MOST_MAILS = 50


def mail_view(request: HttpRequest) -> HttpResponse:
    """The mails, newest first, with links that can be clicked."""
    folder = sandbox_of(request).mail_dir
    mails = read_mails(folder) if folder else []
    return render_page("mail.html", {"mails": mails, "folder": folder, "page": "mail"})


def read_mails(folder: Path) -> list[dict[str, Any]]:
    """The newest mails of a folder. A file that is being written or removed is left out."""
    stamped = []
    for path in folder.glob("*.eml"):
        try:
            stamped.append((path.stat().st_mtime_ns, path.name, path.read_bytes()))
        except OSError:
            continue
    newest = sorted(stamped, reverse=True)[:MOST_MAILS]
    return [_read_mail(name, content) for _, name, content in newest]


def _read_mail(name: str, content: bytes) -> dict[str, Any]:
    message = message_from_bytes(content, _class=EmailMessage, policy=default)
    body = message.get_body(preferencelist=("plain", "html"))
    text = str(body.get_content()) if body else ""
    if body and body.get_content_type() == "text/html":
        text = unescape(strip_tags(text))
    return {
        "name": name,
        "subject": str(message.get("Subject", "(no subject)")),
        "to": str(message.get("To", "")),
        "sender": str(message.get("From", "")),
        "sent_at": _read_date(message),
        "text": text.strip(),
    }


def _read_date(message: EmailMessage) -> object:
    try:
        return parsedate_to_datetime(str(message["Date"]))
    except ValueError:
        return None
