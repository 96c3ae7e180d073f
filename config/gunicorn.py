"""How gunicorn serves us, here and in production: threads that keep their database connection, and our log."""

import os

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
