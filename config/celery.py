"""The Celery application: workers do what the tables say is due; the broker only wakes them."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init
from django.conf import settings
from django_structlog.celery.steps import DjangoStructLogInitStep

from config.startup import refuse_misconfiguration

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
app = Celery("prepaid")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Log as the settings say; a receiver of this signal stops Celery from setting up its own."""
    logging.config.dictConfig(settings.LOGGING)


@worker_init.connect
@beat_init.connect
def check_configuration(**kwargs: Any) -> None:
    """Refuse to start on a missing or malformed variable."""
    refuse_misconfiguration()
