"""Secrets at rest: readable with the present key and its fallbacks, and with no other."""

import pytest
from pytest_django import Settings

from billing.services.sealing import CannotUnseal, is_sealed_by_first_key, seal, seal_again, unseal

OLD, NEW = "old-key-" + "x" * 50, "new-key-" + "y" * 50


def test_what_is_sealed_is_unreadable_and_can_be_unsealed() -> None:
    sealed = seal("whsec_abc")

    assert "whsec" not in sealed
    assert sealed != seal("whsec_abc")
    assert unseal(sealed) == "whsec_abc"


def test_a_fallback_still_unseals_until_it_is_taken_out(settings: Settings) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, []
    sealed = seal("whsec_abc")

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert unseal(sealed) == "whsec_abc"
    assert not is_sealed_by_first_key(sealed)
    again = seal_again(sealed)
    assert is_sealed_by_first_key(again)

    settings.SECRET_KEY_FALLBACKS = []
    assert unseal(again) == "whsec_abc"
    with pytest.raises(CannotUnseal):
        unseal(sealed)


def test_what_was_changed_on_disk_is_refused() -> None:
    sealed = seal("whsec_abc")

    with pytest.raises(CannotUnseal):
        unseal(sealed[:-4] + "AAAA")
