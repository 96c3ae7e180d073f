"""Connections to repositories elsewhere: https to one host, whose address is a public one, and to nothing else.

The address is judged where the connection is made, so a name that says something else a moment later gains nothing.
"""

import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from urllib3 import PoolManager
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import LocationValueError, NewConnectionError
from urllib3.util import Retry, Timeout

from billing.outgoing.addresses import is_public_address

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 10.0
AddressRule = Callable[[str], bool]


class RefusedAddress(LocationValueError):
    """The host's name leads to an address that nobody may be sent to."""


def make_pool(
    *, host: str, port: int = 443, may_connect: AddressRule = is_public_address, context: ssl.SSLContext | None = None
) -> PoolManager:
    """A pool that speaks https with one host, follows no redirect, uses no proxy and asks no address twice."""
    the_host, the_port = host, port

    class Connection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            for family, _, _, _, place in _resolve(self._dns_host, self.port or port):
                if not may_connect(str(place[0])):
                    raise RefusedAddress(f"{host} is not at a public address.")
                connection = socket.socket(family, socket.SOCK_STREAM)
                connection.settimeout(CONNECT_SECONDS)
                try:
                    connection.connect(place)
                except OSError as error:
                    connection.close()
                    raise NewConnectionError(self, f"{host} does not answer.") from error
                return connection
            raise NewConnectionError(self, f"{host} has no address.")

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    class OneHost(PoolManager):
        def connection_from_host(
            self,
            host: str | None,
            port: int | None = None,
            scheme: str | None = "http",
            pool_kwargs: dict[str, Any] | None = None,
        ) -> HTTPConnectionPool:
            if (host, port or the_port, scheme) != (the_host, the_port, "https"):
                raise RefusedAddress(f"Only {the_host} may be asked.")
            return super().connection_from_host(host, port, scheme, pool_kwargs)

    pool = OneHost(
        num_pools=1,
        timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        retries=Retry(total=0, redirect=0, raise_on_redirect=True),
        ssl_context=context,
    )
    pool.pool_classes_by_scheme = {"https": Pool}
    return pool


def _resolve(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
