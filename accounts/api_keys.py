"""API keys: made, found, rotated and revoked.

A key reads `ppk_live_<id>_<secret>` (`ppk_test_…` outside production). The id finds the row, the secret proves the
caller; it has 256 random bits, so a fast hash is enough (OWASP ASVS 5.0, 6.5.2), and is shown once.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.models import ApiKey, Scope, User

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # no letters that are mistaken for another
_ID_LENGTH: Final = 16
_SECRET_ALPHABET: Final = string.ascii_letters + string.digits  # a double click selects all of it
_SECRET_LENGTH: Final = 43
_SHAPE: Final = re.compile(r"(ppk_(?:live|test))_([0-9a-z]{16})_([0-9A-Za-z]{43})", re.ASCII)
_LAST_USED_STEP: Final = timedelta(minutes=1)  # coarse: not one write per call
MAX_LIVE_KEYS: Final = 20  # of one user, where nothing else is said; rotation needs room for one more
ROTATION_OVERLAP: Final = timedelta(hours=24)


class KeyRefused(Exception):
    """The key proves nobody. `code` says why; the text is for the one who sent it."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class TooManyKeys(Exception):
    """The user has as many live keys as this user may have."""

    def __init__(self, *, most: int = MAX_LIVE_KEYS) -> None:
        self.most = most
        super().__init__(f"There are {most} live keys already. Revoke one that is not used any more.")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as its owner sees it once: the row, and the text that is stored nowhere."""

    key: ApiKey
    text: str


def issue_key(
    *,
    user: User,
    name: str,
    scopes: Sequence[str],
    monthly_limit: Decimal | None = None,
    expires_at: datetime | None = None,
    created_by: User | None = None,
    replaces: ApiKey | None = None,
) -> NewKey:
    """Make a key for the user.

    Raises:
        PermissionError: the scope `customers`, and `created_by` is not staff: it reaches everybody's credits.
        TooManyKeys: the user has `most_live_keys` live ones.
    """
    wanted = [scope.value for scope in Scope if scope.value in scopes]
    if not wanted or len(wanted) != len(set(scopes)):
        raise ValueError(f"Scopes are some of {', '.join(Scope.values)}, not {', '.join(scopes) or 'none'}.")
    maker = created_by or user
    if Scope.CUSTOMERS in wanted and not (maker.is_active and maker.is_staff):
        raise PermissionError("Only staff make keys that act for any customer.")
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(_SECRET_LENGTH))
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # so that two tabs cannot both make the last one
        most = most_live_keys(user=user)
        if live_keys(user=user, now=timezone.now()).count() >= most + (replaces is not None):
            raise TooManyKeys(most=most)
        key = ApiKey.objects.create(
            key_id="".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH)),
            prefix=settings.API_KEY_PREFIX,
            secret_hash=_hash(secret),
            last_four=secret[-4:],
            user=user,
            name=name,
            scopes=wanted,
            monthly_limit=monthly_limit,
            expires_at=expires_at,
            replaces=replaces,
            created_by=maker,
        )
    return NewKey(key=key, text=f"{key.prefix}_{key.key_id}_{secret}")


def _read(key_id: str, prefix: str) -> ApiKey | None:
    return ApiKey.objects.select_related("user").filter(key_id=key_id, prefix=prefix).first()


def find_key(*, text: str, now: datetime, read: Callable[[str, str], ApiKey | None] = _read) -> ApiKey:
    """The live key that `text` is, with its user. `read` gives the row of an id and a prefix by one query.

    Raises:
        KeyRefused: malformed or unknown, of the other mode, revoked, expired, or of somebody who is not active.
    """
    parts = _SHAPE.fullmatch(text)
    if parts is None:
        raise KeyRefused("invalid_api_key", "This is not an API key of ours.")
    prefix, key_id, secret = parts.groups()
    if prefix != settings.API_KEY_PREFIX:
        raise KeyRefused("invalid_api_key", f"Keys here begin with {settings.API_KEY_PREFIX}_.")
    key = read(key_id, prefix)
    if not compare_digest(_hash(secret), key.secret_hash if key else "0" * 64) or key is None:
        raise KeyRefused("invalid_api_key", "There is no such API key.")
    if key.revoked_at is not None:
        raise KeyRefused("api_key_revoked", "This API key was revoked.")
    if key.expires_at is not None and key.expires_at <= now:
        raise KeyRefused("api_key_expired", "This API key has expired.")
    if key.user is None or not key.user.is_active:
        raise KeyRefused("invalid_api_key", "The owner of this API key is not active.")
    return key


def note_use(*, key: ApiKey, now: datetime) -> None:
    """Remember that the key was used, to the minute."""
    if key.last_used_at is None or now - key.last_used_at >= _LAST_USED_STEP:
        earlier = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - _LAST_USED_STEP)
        ApiKey.objects.filter(earlier, pk=key.pk).update(last_used_at=now)


def revoke_key(*, key: ApiKey, now: datetime) -> None:
    """End the key at once; ending it again keeps the first time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now)
    key.refresh_from_db(fields=["revoked_at"])


def rotate_key(*, key: ApiKey, now: datetime, actor: User, overlap: timedelta = ROTATION_OVERLAP) -> NewKey:
    """A new key with the same rights; the old one goes on for `overlap`, or until its own end if that is sooner.

    Raises:
        KeyRefused: the key has ended, or was rotated already.
        PermissionError: the key acts for any customer, and `actor` is not staff.
    """
    with transaction.atomic():
        old = ApiKey.objects.select_for_update().get(pk=key.pk)
        if old.user is None or old.revoked_at is not None or (old.expires_at and old.expires_at <= now):
            raise KeyRefused("api_key_revoked", "This API key has ended. Make a new one.")
        if old.successors.exists():
            raise KeyRefused("api_key_rotated", "This API key was rotated already. Its successor is in the list.")
        new = issue_key(
            user=old.user,
            name=old.name,
            scopes=old.scopes,
            monthly_limit=old.monthly_limit,
            expires_at=old.expires_at,
            created_by=actor,
            replaces=old,
        )
        ends_at = now + overlap
        if old.expires_at is None or old.expires_at > ends_at:
            old.expires_at = ends_at
            old.save(update_fields=["expires_at"])
    return new


def live_keys(*, user: User, now: datetime) -> QuerySet[ApiKey]:
    """The user's keys that work now."""
    return ApiKey.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), user=user, revoked_at__isnull=True)


def most_live_keys(*, user: User) -> int:
    """How many live keys the user may have: what `API_KEYS_ALLOWED` says (a plan, say), else `MAX_LIVE_KEYS`."""
    said: int | None = import_string(settings.API_KEYS_ALLOWED)(user=user)
    return MAX_LIVE_KEYS if said is None else said


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
