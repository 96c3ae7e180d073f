"""What can go wrong with a provider. None of these texts has an address or a key of ours in it."""

from typing import Any


class UpstreamFailure(Exception):
    """The provider gave no answer that can be used. `reason` is stable and short, the text is for our log."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class UpstreamDown(UpstreamFailure):
    """It could not be reached, broke off, failed by its own account, or refuses us rather than the request."""


class UpstreamTimeout(UpstreamFailure):
    """It did not answer in time. Whether it worked on the request is unknown."""


class UpstreamRefused(UpstreamFailure):
    """It refused the request itself: whoever made it can do something about that."""

    def __init__(self, *, status: int, body: Any, retry_after: str = "") -> None:
        self.status, self.body, self.retry_after = status, body, retry_after
        super().__init__(f"refused_{status}", f"The provider answered {status}.")
