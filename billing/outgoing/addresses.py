"""Which addresses may be spoken to: names on the public internet over https, and no machine of ours or of a cloud."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

MAX_URL_LENGTH: Final = 2000
HTTPS_PORT: Final = 443
# All that is the public's in IPv6 (www.iana.org/assignments/ipv6-address-space): Python takes more for global, such as
# IPv4 addresses inside of IPv6 ones, sites' own addresses as they were once, and what is given to nobody.
_GLOBAL_UNICAST: Final = ip_network("2000::/3")
# Not for the public, though Python takes them for global: documentation's, the protocols' own and relays, and the host
# beneath a machine in Azure.
_SPECIAL: Final = tuple(map(ip_network, ("3fff::/20", "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))
_VISIBLE: Final = re.compile(r"[!-\[\]-~]+", re.ASCII)  # without the backslash, which browsers read as a slash
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)  # as a last label it makes the whole an IPv4 address
_INNER_NAMES: Final = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "home.arpa",
    "arpa",
    "onion",
)
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")


class UrlRefused(ValueError):
    """Nothing is sent to such an address; the text says why, for who has typed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address that may be asked for, as its parts; where its name leads is judged when it is connected to."""

    is_tls: bool
    host: str
    port: int
    path: str
    is_loopback: bool = False

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (HTTPS_PORT if self.is_tls else 80) else f"{host}:{self.port}"


def is_public_address(address: str) -> bool:
    """Whether an IP address belongs to the public internet: not to this machine, its network or a cloud's inside."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if inner is not None:
            return is_public_address(str(inner))
        if parsed not in _GLOBAL_UNICAST:
            return False
    return parsed.is_global and not parsed.is_multicast and not any(parsed in network for network in _SPECIAL)


def is_loopback_address(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback


def read_target(url: str, *, may_be_loopback: bool = False) -> Target:
    """The parts of an https address with a public name; with `may_be_loopback` also of http to this machine.

    Raises:
        UrlRefused: it is none.
    """
    if len(url) > MAX_URL_LENGTH:
        raise UrlRefused(f"The address is longer than {MAX_URL_LENGTH} characters.")
    if not _VISIBLE.fullmatch(url):
        raise UrlRefused("Write the address in visible ASCII characters; a name in another script begins with xn--.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlRefused("This is not an address. It looks like https://example.com/webhooks.") from None
    if may_be_loopback and (loopback := _read_loopback(parts, port)) is not None:
        return loopback
    if parts.scheme != "https":
        raise UrlRefused("The address begins with https://.")
    if "@" in parts.netloc:
        raise UrlRefused("Leave name and password out of the address: messages are signed.")
    if port not in (None, HTTPS_PORT):
        raise UrlRefused("Messages are sent to port 443 alone.")
    if "#" in url:
        raise UrlRefused("Leave out what begins with #: it is never sent.")
    return Target(is_tls=True, host=_check_name(parts), port=HTTPS_PORT, path=_path_of(parts))


def _check_name(parts: SplitResult) -> str:
    name = parts.hostname or ""
    if "[" in parts.netloc or _NUMBER.fullmatch(name.rstrip(".").rpartition(".")[2]):
        raise UrlRefused("Name a host, not the number of one.")
    if not _NAME.fullmatch(name) or len(name) > 253:
        raise UrlRefused("This is not the name of a public host, such as example.com.")
    if any(name == inner or name.endswith(f".{inner}") for inner in _INNER_NAMES):
        raise UrlRefused("This name is not one of the public internet.")
    return name


def _read_loopback(parts: SplitResult, port: int | None) -> Target | None:
    """This machine, for development and tests."""
    host, _, _ = parts.netloc.rpartition(":") if port is not None else (parts.netloc, "", "")
    if parts.scheme != "http" or host not in _LOOPBACK:
        return None
    return Target(is_tls=False, host=host.strip("[]"), port=port or 80, path=_path_of(parts), is_loopback=True)


def _path_of(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
