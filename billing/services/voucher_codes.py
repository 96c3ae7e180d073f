"""What a voucher's code looks like, and the only form in which it is kept."""

import secrets
from hashlib import sha256
from typing import Final

# Without I, L, O and U: what is read as one of the first three is a 1 or a 0. 32 letters, so five bits choose one.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 16  # 80 bits
_GROUP: Final = 4
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
_BETWEEN: Final = str.maketrans("", "", " \t\r\n\u00a0-\u2010\u2011\u2012\u2013\u2014\u2212_.")


def new_code() -> str:
    """A random code as people see it: `XXXX-XXXX-XXXX-XXXX`."""
    letters = "".join(ALPHABET[byte & 31] for byte in secrets.token_bytes(LENGTH))
    return "-".join(letters[start : start + _GROUP] for start in range(0, LENGTH, _GROUP))


def normalise_code(text: str) -> str:
    """The code that somebody meant: without blanks and dashes, in capitals, look-alikes read as the digits.

    Empty where it cannot be one of ours.
    """
    letters = text.translate(_BETWEEN).upper().translate(_READ_AS)
    return letters if len(letters) == LENGTH and set(letters) <= set(ALPHABET) else ""


def hash_code(text: str) -> str:
    """What is stored of a code; empty where it cannot be one. A plain digest: nobody finds 80 random bits by trying."""
    letters = normalise_code(text)
    return sha256(letters.encode()).hexdigest() if letters else ""
