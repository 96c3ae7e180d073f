"""What makes a second usage event of one name the same event (pure)."""

from datetime import datetime
from hashlib import sha256

from billing.usage_cost import Tokens


def hash_usage(*, model: str, operation: str, quantity: int, tokens: Tokens, occurred_at: datetime | None) -> str:
    """A digest of what is charged for; metadata may differ, and so may the time of an event that came without one."""
    moment = occurred_at.isoformat() if occurred_at else ""
    parts = (model, operation, quantity, tokens.input, tokens.cached, tokens.output, moment)
    return sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()
