"""A small git repository with real commits, so that a commit can be summarised at once."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dulwich.repo import Repo

_AUTHOR: Final = b"Ada Lovelace <ada@example.com>"
_FIRST_AT: Final = 1_791_763_200  # 12 October 2026, in UTC
_STEP_SECONDS: Final = 3 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A commit: its message, and what its files are afterwards."""

    message: str
    files: dict[str, str] = field(default_factory=dict)


_PRICES: Final = '''"""What a delivery costs."""

BASE = 4.90
PER_KILOGRAM = 0.80


def price(weight):
    return BASE + weight * PER_KILOGRAM
'''
_CHANGES: Final = (
    _Change(
        message="Price deliveries by weight",
        files={"README.md": "# Deliveries\n\nWhat it costs to send a parcel.\n", "delivery/prices.py": _PRICES},
    ),
    _Change(
        message="Refuse parcels without a weight\n\nA weight of zero was a forgotten field.",
        files={
            "delivery/prices.py": _PRICES.replace(
                "    return BASE",
                "    if weight <= 0:\n"
                '        raise ValueError(f"A parcel weighs more than {weight} kg.")\n'
                "    return BASE",
            ),
            "tests/test_prices.py": (
                "import pytest\n\nfrom delivery.prices import price\n\n\n"
                "def test_a_parcel_has_a_weight():\n    with pytest.raises(ValueError):\n        price(0)\n"
            ),
        },
    ),
    _Change(
        message="Count money in cents\n\nFloats lost a cent in one of two hundred invoices.",
        files={
            "delivery/prices.py": _PRICES.replace("BASE = 4.90", "BASE_CENTS = 490")
            .replace("PER_KILOGRAM = 0.80", "PER_KILOGRAM_CENTS = 80")
            .replace("def price(weight)", "def price_cents(weight_grams)")
            .replace(
                "    return BASE + weight * PER_KILOGRAM",
                '    if weight_grams <= 0:\n        raise ValueError(f"A parcel weighs more than {weight_grams} g.")\n'
                "    return BASE_CENTS + -(-weight_grams * PER_KILOGRAM_CENTS // 1000)",
            ),
            "tests/test_prices.py": (
                "import pytest\n\nfrom delivery.prices import price_cents\n\n\n"
                "def test_a_parcel_has_a_weight():\n    with pytest.raises(ValueError):\n        price_cents(0)\n\n\n"
                "def test_a_begun_cent_counts():\n    assert price_cents(1) == 491\n"
            ),
        },
    ),
)


def ensure_repository(*, folder: Path) -> None:
    """The repository in that folder; made if it is not there yet, whole or not at all."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as workshop:
        made = Path(workshop) / folder.name
        made.mkdir()
        _make(made)
        with suppress(OSError):  # another seeding at the same moment was first
            made.rename(folder)


def _make(folder: Path) -> None:
    with Repo.init(str(folder)) as repo:
        worktree = repo.get_worktree()
        for number, change in enumerate(_CHANGES):
            for name, text in change.files.items():
                file = folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            worktree.stage([name.encode() for name in change.files])
            at = _FIRST_AT + number * _STEP_SECONDS
            worktree.commit(
                message=change.message.encode(),
                author=_AUTHOR,
                committer=_AUTHOR,
                commit_timestamp=at,
                commit_timezone=0,
                author_timestamp=at,
                author_timezone=0,
                sign=False,
            )
