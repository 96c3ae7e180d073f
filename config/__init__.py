"""The project; importing the Celery application here makes `shared_task` find it."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
