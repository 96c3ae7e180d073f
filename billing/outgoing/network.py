"""Connections to checked addresses: a name is resolved once, judged, and the very address that was judged is used."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from billing.outgoing.addresses import Target, is_loopback_address, is_public_address

CONNECT_SECONDS: Final = 5.0
Resolve = Callable[[str, int], list[str]]
Connect = Callable[[str, int, float], socket.socket]


class DeliveryFailed(Exception):
    """There is no answer; the text says why, in words for the endpoint's owner."""


class AddressRefused(DeliveryFailed):
    """The host's name leads to an address that nothing may be sent to."""


def resolve_name(host: str, port: int) -> list[str]:
    """The addresses of a name, as the operating system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def connect_to(address: str, port: int, timeout_seconds: float) -> socket.socket:
    """A connection to an address that is a number already, so nothing is resolved here."""
    return socket.create_connection((address, port), timeout=timeout_seconds)


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that this machine trusts; reading them takes as long as a request."""
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How names become addresses and addresses connections, and whose certificates are trusted."""

    resolve: Resolve = resolve_name
    connect: Connect = connect_to
    context: ssl.SSLContext = field(default_factory=_trusted)

    def open(self, *, target: Target, deadline: float) -> socket.socket:
        """A connection to the target, over TLS with its name checked where it asks for TLS.

        Raises:
            DeliveryFailed: there is none to be had; `AddressRefused` where there must be none.
        """
        until = min(deadline, time.monotonic() + CONNECT_SECONDS)
        addresses = self._checked_addresses(target, until)
        plain = self._first_that_answers(addresses, target.port, until)
        if not target.is_tls:
            return plain
        try:
            plain.settimeout(_left(until))
            return self.context.wrap_socket(plain, server_hostname=target.host)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise DeliveryFailed(f"Its certificate cannot be trusted: {error.verify_message}.") from error
        except (OSError, ValueError) as error:
            plain.close()
            raise DeliveryFailed("It does not speak TLS, or not in time.") from error

    def _checked_addresses(self, target: Target, until: float) -> list[str]:
        """Where the name leads: one address that must not be asked refuses all, whatever stands beside it."""
        addresses = self._resolve_in_time(target, until)
        may_be = is_loopback_address if target.is_loopback else is_public_address
        if not all(map(may_be, addresses)):
            raise AddressRefused("Its name leads to an address that is not public.")
        return addresses

    def _resolve_in_time(self, target: Target, until: float) -> list[str]:
        """The system's resolver knows no deadline, so it is asked on a thread that may be left behind."""
        found: list[list[str]] = []

        def ask() -> None:
            try:
                found.append(self.resolve(target.host, target.port))
            except (OSError, UnicodeError):
                found.append([])

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(_left(until))
        if not found:
            raise DeliveryFailed("Its name was not resolved in time.")
        if not found[0]:
            raise DeliveryFailed("Its name has no address.")
        return found[0]

    def _first_that_answers(self, addresses: list[str], port: int, until: float) -> socket.socket:
        for address in addresses:
            try:
                return self.connect(address, port, _left(until))
            except OSError:
                continue
        raise DeliveryFailed("It cannot be connected to.")


def _left(until: float) -> float:
    """Seconds up to that moment of the monotonic clock; a little where it has passed, because 0 would mean for ever."""
    return max(0.001, until - time.monotonic())
