"""Wakes a Celery task by name. A wake-up may be lost: what is due stands in a table, and the sweeper finds it there.

So a broker that is down, slow or full is no error here, and costs the caller at most a moment now and then.
"""

import os
import threading
import time

import structlog
from celery import current_app
from kombu import Connection, Producer

WORK_OFF_EVENT = "billing.work_off_event"
SYNC_CATALOG = "billing.sync_catalog"
RECONCILE_WINDOW = "billing.reconcile_window"
ADD_UP_BOOKS = "billing.add_up_books"
EXPAND_NOTICES = "billing.expand_notices"
SEND_WEBHOOKS = "billing.send_webhooks"
TOP_UP = "billing.top_up"
SEND_MAILS = "billing.send_mails"

_TIMEOUT_SECONDS = 0.25
_QUIET_SECONDS = 5.0  # after a failure nobody is held up by the broker for so long
log = structlog.get_logger(__name__)


class _Bell:
    """One connection to the broker for the process: opening one costs ten times what a message costs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._producer: Producer | None = None
        self._address, self._owner = "", 0
        self.quiet_until = 0.0

    def ring(self, *, name: str, arguments: tuple[str | int, ...]) -> None:
        """Send the message; a connection that has gone stale is replaced once."""
        if not self._lock.acquire(timeout=_TIMEOUT_SECONDS):
            raise TimeoutError("Others are waiting for the broker.")
        try:
            is_fresh = self._connect()
            try:
                self._send(name, arguments)
            except Exception:
                self._disconnect()
                if is_fresh:
                    raise
                self._connect()
                self._send(name, arguments)
        except BaseException:
            self._disconnect()
            raise
        finally:
            self._lock.release()

    def _send(self, name: str, arguments: tuple[str | int, ...]) -> None:
        current_app.send_task(name, args=arguments, producer=self._producer, retry=False, ignore_result=True)

    def _connect(self) -> bool:
        """Whether a new connection had to be prepared: for a new address, or in a process that was forked off."""
        address = str(current_app.conf.broker_write_url or current_app.conf.broker_url)
        if self._producer is not None and (self._address, self._owner) == (address, os.getpid()):
            return False
        connection = Connection(address, connect_timeout=_TIMEOUT_SECONDS, transport_options=_impatient_options())
        self._producer = current_app.amqp.Producer(connection, auto_declare=False)
        self._address, self._owner = address, os.getpid()
        return True

    def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None and producer.connection is not None:
            producer.connection.collect(socket_timeout=_TIMEOUT_SECONDS)


_bell = _Bell()


def wake_task(*, name: str, arguments: tuple[str | int, ...] = ()) -> bool:
    """Ask a worker to run a task; whether the broker took the message. Never raises, never waits for long."""
    if time.monotonic() < _bell.quiet_until:
        return False
    try:
        _bell.ring(name=name, arguments=arguments)
    except Exception as error:  # whatever is wrong with the broker, the sweeper does the work
        _bell.quiet_until = time.monotonic() + _QUIET_SECONDS
        log.warning("wake_up_lost", task=name, error=type(error).__name__)
        return False
    return True


def _impatient_options() -> dict[str, object]:
    """The waits and retries of Celery's own connections are made for workers, not for requests."""
    return {
        **current_app.conf.broker_transport_options,
        "max_retries": 0,
        "socket_connect_timeout": _TIMEOUT_SECONDS,
        "socket_timeout": _TIMEOUT_SECONDS,
        "connect_retries_timeout": _TIMEOUT_SECONDS,
    }
