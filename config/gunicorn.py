"""How gunicorn serves us, here and in production: threads that keep their database connection, and our log."""

import gc
import os
from typing import Any

from config.logs import configure_structlog, logging_config

wsgi_app = "config.wsgi:application"
bind = os.environ.get("BIND") or f"0.0.0.0:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WEB_THREADS", "16"))  # a streaming answer keeps its thread until it ends
worker_class = "gthread"
timeout = 30
graceful_timeout = 30
keepalive = 5
max_requests = 10_000
max_requests_jitter = 1_000
control_socket_disable = True
accesslog = None  # django_structlog logs each request, with its id and without secrets
configure_structlog()
logconfig_dict = logging_config(os.environ.get("LOG_FORMAT", "json"))


def post_worker_init(worker: Any) -> None:
    """Take what was loaded at the start out of the garbage collector's rounds: each would stop all threads for long."""
    gc.collect()
    gc.freeze()
