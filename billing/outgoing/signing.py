"""Secrets and signatures by https://www.standardwebhooks.com."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from standardwebhooks import Webhook

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32  # the standard asks for 24 to 64


def new_secret() -> str:
    """A secret as both sides keep it: `whsec_` and 256 random bits in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(*, message_id: str, body: str, sent_at: datetime, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers of the standard, with one signature for each secret that is valid now. `sent_at` is in UTC."""
    signatures = (Webhook(secret).sign(msg_id=message_id, timestamp=sent_at, data=body) for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
