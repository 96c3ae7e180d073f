"""Secrets at rest: sealed with a key made of SECRET_KEY, which is not in the database."""

import base64
from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from billing import conf

_PURPOSE: Final = b"prepaid: secrets of webhook endpoints"


class CannotUnseal(RuntimeError):
    """None of the present keys has sealed this."""


def seal(text: str) -> str:
    """The text as it may be stored."""
    return _box(conf.secret_keys()).encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """The text that was sealed, with SECRET_KEY or one of SECRET_KEY_FALLBACKS.

    Raises:
        CannotUnseal: with another key.
    """
    try:
        return _box(conf.secret_keys()).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise CannotUnseal("A secret was sealed with a SECRET_KEY that is not known any more.") from None


def seal_again(sealed: str) -> str:
    """The same text sealed with SECRET_KEY, so that a fallback can be taken out.

    Raises:
        CannotUnseal: with another key.
    """
    return seal(unseal(sealed))


def is_sealed_by_first_key(sealed: str) -> bool:
    """Whether it needs no fallback."""
    try:
        _box(conf.secret_keys()[:1]).decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


@lru_cache(maxsize=8)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_derive(key)) for key in keys])


def _derive(key: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(derived)
