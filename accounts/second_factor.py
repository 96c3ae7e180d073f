"""Whether somebody of the staff still has to set up a second factor."""

from __future__ import annotations

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings

from accounts.models import User


def lacks_second_factor(user: User) -> bool:
    """Staff without one, where `STAFF_NEEDS_SECOND_FACTOR`; customers need none."""
    return bool(settings.STAFF_NEEDS_SECOND_FACTOR) and user.is_staff and not is_mfa_enabled(user)
