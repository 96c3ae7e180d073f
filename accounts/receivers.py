"""What happens when staff log in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.audited import record_act
from accounts.models import User


@receiver(user_logged_in, dispatch_uid="accounts.receivers.audit_login")
def audit_login(*, request: HttpRequest, user: User, **_: Any) -> None:
    """The login of a member of staff is in the audit log, or it does not happen."""
    if user.is_staff:
        with transaction.atomic():
            record_act(request=request, action="staff.login", target=user, actor=user)
