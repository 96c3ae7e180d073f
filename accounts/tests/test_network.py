from __future__ import annotations

import pytest
from django.test import RequestFactory

from accounts.network import UNKNOWN_ADDRESS, client_address, keyed_hash, known_hashes, network_of


def address(*, peer: str = "10.0.0.1", forwarded: str | None = None) -> str:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))


def test_without_trusted_proxies_the_header_is_not_believed() -> None:
    assert address(forwarded="203.0.113.9") == "10.0.0.1"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        (2, "203.0.113.9", "10.0.0.1"),
        (1, "not an address", UNKNOWN_ADDRESS),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "[2001:db8::1]:443", "2001:db8::1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_each_trusted_proxy_is_counted_from_the_right(settings, proxies: int, forwarded: str, expected: str) -> None:  # type: ignore[no-untyped-def]
    settings.TRUSTED_PROXY_COUNT = proxies

    assert address(forwarded=forwarded) == expected


def test_a_unix_socket_has_the_unknown_address() -> None:
    assert address(peer="") == UNKNOWN_ADDRESS


@pytest.mark.parametrize(
    ("one", "network"),
    [("203.0.113.9", "203.0.113.0/24"), ("2001:db8:1:2::5", "2001:db8:1::/48"), (UNKNOWN_ADDRESS, "0.0.0.0/24")],
)
def test_a_network_is_a_24_or_a_48(one: str, network: str) -> None:
    assert network_of(one) == network


def test_a_hash_depends_on_the_key_and_tells_nothing_else(settings) -> None:  # type: ignore[no-untyped-def]
    first = keyed_hash("a@example.com")
    settings.SECRET_KEY = "another-secret-key"

    assert len(first) == 64
    assert keyed_hash("a@example.com") != first


def test_an_old_key_is_known_as_long_as_it_is_a_fallback(settings) -> None:  # type: ignore[no-untyped-def]
    stored, old_key = keyed_hash("a@example.com"), settings.SECRET_KEY
    settings.SECRET_KEY = "another-secret-key"

    assert stored not in known_hashes("a@example.com")

    settings.SECRET_KEY_FALLBACKS = [old_key]

    assert stored in known_hashes("a@example.com")
