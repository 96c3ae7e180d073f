"""Mail of a developer's machine."""

from email import message_from_bytes
from pathlib import Path

import pytest
from django.core.mail import EmailMessage
from pytest_django import Settings

from sandbox.mail import Backend


def test_mail_is_printed_with_its_links_and_kept_as_a_file(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.MAIL_FOLDER = tmp_path / "mail"
    mail = EmailMessage("Confirm", "Open http://127.0.0.1:8000/confirm/abc/ now", "us@example.com", ["ann@example.com"])

    sent = Backend().send_messages([mail, mail])

    files = sorted((tmp_path / "mail").iterdir())
    assert sent == 2
    assert [file.suffix for file in files] == [".eml", ".eml"]
    assert message_from_bytes(files[0].read_bytes())["Subject"] == "Confirm"
    printed = capsys.readouterr().out
    assert "MAIL to ann@example.com: Confirm" in printed
    assert "http://127.0.0.1:8000/confirm/abc/" in printed
