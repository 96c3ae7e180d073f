"""Where a request comes from, and how we remember addresses without keeping them."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104 - not a place to listen at: callers without an address share one
_IPV4_PREFIX, _IPV6_PREFIX = 24, 48  # what one household, office or small provider shares
_HASH_SALT = "accounts.network.keyed_hash"


def client_address(request: HttpRequest) -> str:
    """The caller's IP address, normalised; `UNKNOWN_ADDRESS` when there is none (a unix socket).

    `X-Forwarded-For` is written by whoever speaks to us, so it is believed only as far as `TRUSTED_PROXY_COUNT`
    proxies of ours have appended to it: each adds the address that it saw, and the outermost one saw the caller.
    A shorter header than that came past the proxies; then the peer itself is the caller.
    """
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    trusted = settings.TRUSTED_PROXY_COUNT
    candidate = hops[-trusted] if 0 < trusted <= len(hops) else request.META.get("REMOTE_ADDR", "")
    return _normalised(candidate) or UNKNOWN_ADDRESS


def network_of(address: str) -> str:
    """The network an address belongs to: its /24 in IPv4, its /48 in IPv6, such as `203.0.113.0/24`."""
    parsed = ip_address(address)
    prefix = _IPV6_PREFIX if isinstance(parsed, IPv6Address) else _IPV4_PREFIX
    return str(ip_network((parsed, prefix), strict=False))


def keyed_hash(value: str, *, secret: str | bytes | None = None) -> str:
    """A name for `value` that only who has `SECRET_KEY` can compute: 64 hex digits.

    A new `SECRET_KEY` gives other hashes. Keep the old one in `SECRET_KEY_FALLBACKS` for as long as what was stored
    must be recognised, and look up with `known_hashes`.
    """
    return salted_hmac(_HASH_SALT, value, secret=secret, algorithm="sha256").hexdigest()


def known_hashes(value: str) -> list[str]:
    """Every hash under which `value` may be stored: by today's `SECRET_KEY` first, then by its predecessors."""
    return [keyed_hash(value), *(keyed_hash(value, secret=secret) for secret in settings.SECRET_KEY_FALLBACKS)]


def _normalised(candidate: str) -> str:
    """The address without a port, brackets or an IPv4-mapped prefix; empty when it is none."""
    bare = candidate.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        parsed = ip_address(bare.partition("%")[0])
    except ValueError:
        return ""
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)
