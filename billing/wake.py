"""Wakes a Celery task by name. A wake-up may be lost: what is due stands in a table, and the sweeper finds it there.

So a broker that is down, slow or full is no error here, and costs the caller at most a moment now and then.
"""

import time

import structlog
from celery import current_app
from kombu import Connection

WORK_OFF_EVENT = "billing.work_off_event"

_CONNECT_TIMEOUT_SECONDS = 0.25
_QUIET_SECONDS = 5.0  # after a failure nobody is held up by the broker for so long
_quiet_until = 0.0
log = structlog.get_logger(__name__)


def wake_task(*, name: str, arguments: tuple[str | int, ...] = ()) -> bool:
    """Ask a worker to run a task; whether the broker took the message. Never raises, never waits for long."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return False
    try:
        with _connection() as connection:
            current_app.send_task(name, args=arguments, connection=connection, retry=False, ignore_result=True)
    except Exception as error:  # whatever is wrong with the broker, the sweeper does the work
        _quiet_until = time.monotonic() + _QUIET_SECONDS
        log.warning("wake_up_lost", task=name, error=type(error).__name__)
        return False
    return True


def _connection() -> Connection:
    """A connection of its own: the shared pool's waits and retries are made for workers, not for requests."""
    options = {
        **current_app.conf.broker_transport_options,
        "max_retries": 0,
        "socket_connect_timeout": _CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": _CONNECT_TIMEOUT_SECONDS,
        "connect_retries_timeout": _CONNECT_TIMEOUT_SECONDS,
    }
    return Connection(
        current_app.conf.broker_write_url or current_app.conf.broker_url,
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        transport_options=options,
    )
