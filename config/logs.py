"""One log for everything: structlog, Django, Celery and gunicorn, as text for people or as JSON for machines."""

from typing import Any, Final

import structlog
from structlog.typing import Processor

from config.redaction import redact_event

LOG_FORMATS: Final = ("console", "json")
SHARED: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.StackInfoRenderer(),
]


def configure_structlog() -> None:
    """Send structlog's events through the standard library, so that one handler writes and redacts all lines."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logging_config(log_format: str, *, level: str = "INFO") -> dict[str, Any]:
    """The dictionary for logging.config: `console` or `json`, to standard error: what a command prints stays clean."""
    stamp: list[Processor] = []  # `dev` and the platform's log put the time before each line
    renderer: Processor = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )
    if log_format == "json":
        stamp = [structlog.processors.TimeStamper(fmt="iso", utc=True)]
        renderer = structlog.processors.JSONRenderer()
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": SHARED,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *stamp,
            structlog.processors.format_exc_info,  # to text first, so that a traceback is redacted too
            redact_event,
            renderer,
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": formatter},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "structured"}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django and gunicorn bring handlers of their own; these lines send everything to ours instead.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            "django.request": {"level": "CRITICAL"},  # django_structlog logs every answer and every exception
            "gunicorn.error": {"handlers": [], "level": level, "propagate": True},
            "gunicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
            "stripe": {"level": "WARNING"},  # its SDK tells of each call
            "httpx2": {"level": "WARNING"},  # it tells of each request to a provider of models
            "celery.worker.strategy": {"level": "WARNING"},  # django_structlog logs starts and ends with a request id
            "celery.app.trace": {"level": "WARNING"},
        },
    }
