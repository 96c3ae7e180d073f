"""What makes a second usage event of one name the same event."""

from datetime import datetime
from hashlib import sha256

from billing.usage_cost import Tokens


def hash_usage(*, model: str, operation: str, quantity: int, tokens: Tokens, occurred_at: datetime) -> str:
    """A digest of what is charged for; texts and metadata may differ."""
    parts = (model, operation, quantity, tokens.input, tokens.cached, tokens.output, occurred_at.isoformat())
    return sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()
