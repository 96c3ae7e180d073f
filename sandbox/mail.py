"""Mail in development: printed where the developer looks, and kept as files that the sandbox shows."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class Backend(BaseEmailBackend):
    """Prints each mail and writes it to MAIL_FOLDER as `<time>-<id>.eml`. Never used in production.

    The mail goes past the log on purpose: the log takes out addresses and links, and here a person needs to see them.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.MAIL_FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        for mail in email_messages:
            write_eml(mail=mail, folder=folder)
            print(summarize_mail(mail), flush=True)  # noqa: T201
        return len(email_messages)


def write_eml(*, mail: EmailMessage, folder: Path) -> Path:
    """Write one mail whole: a reader of the folder never sees half of it."""
    path = folder / f"{datetime.now(tz=UTC):%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}.eml"
    draft = path.with_suffix(".draft")
    draft.write_bytes(mail.message().as_bytes())
    return draft.rename(path)


def summarize_mail(mail: EmailMessage) -> str:
    """Receivers, subject and links of a mail, as a few lines."""
    links = re.findall(r"https?://[^\s<>\"]+", str(mail.body))
    return "\n".join([f"MAIL to {', '.join(mail.to)}: {mail.subject}", *(f"     {link}" for link in links)])
