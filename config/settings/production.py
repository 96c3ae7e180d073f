"""Production: everything that matters comes from the environment, and system checks refuse what is missing."""

from config.settings.base import *  # noqa: F403
from config.settings.base import DATABASE_URL, REDIS_URL, celery_broker, postgresql

DATABASES = {"default": postgresql(DATABASE_URL)}
CELERY_BROKER_URL = celery_broker(REDIS_URL)
CACHES = {"default": {"BACKEND": "accounts.cache.ForgivingRedisCache", "LOCATION": REDIS_URL}}
STAFF_NEEDS_SECOND_FACTOR = True
