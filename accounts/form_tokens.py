"""Forms that act once: a reload of the answer, or a double click, does not act again.

A page that shows such a form leaves a token in the session; acting takes it out, under the lock of the user's row, so
that of two requests with one token the second finds it gone.
"""

from __future__ import annotations

import secrets
from typing import Final

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction

from accounts.models import User

_NAME: Final = "form_tokens"
_MOST: Final = 10  # pages open at a time; the oldest is forgotten


def new_form_token(session: SessionBase) -> str:
    """A token for a form that is about to be shown."""
    token = secrets.token_urlsafe(18)
    session[_NAME] = [*session.get(_NAME, []), token][-_MOST:]
    return token


def take_form_token(*, session: SessionBase, user: User, token: str) -> bool:
    """Whether the form was still to be sent. Call it in the transaction that acts: its commit takes the token out."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("take_form_token needs the transaction that acts.")
    User.objects.select_for_update().get(pk=user.pk)
    stored: list[str] = type(session)(session.session_key).get(_NAME, [])  # as it is now, not as once read
    if not token or token not in stored:
        return False
    session[_NAME] = [other for other in stored if other != token]
    session.save()
    return True
