"""Tests: a real PostgreSQL and Valkey; each run and each of its workers has a database and a cache prefix of its own."""

import os

from config.settings.base import *  # noqa: F403
from config.settings.base import DATABASE_URL, INSTALLED_APPS, REDIS_URL, celery_broker, postgresql
from sandbox import embedded

DEBUG = False
SECRET_KEY = "test-only-not-a-secret-" + "x" * 40
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
INSTALLED_APPS = [*INSTALLED_APPS, "sandbox"]

if not (DATABASE_URL and REDIS_URL):
    embedded.ensure_running()

_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
RUN_ID = os.environ.get("PREPAID_TEST_RUN") or str(os.getppid() if _worker else os.getpid())
_database = postgresql(DATABASE_URL or embedded.database_url())
_database["OPTIONS"] = {**_database["OPTIONS"], "options": "-c prepaid.allow_truncate=on -c synchronous_commit=off"}  # type: ignore[dict-item]
_database["TEST"] = {"NAME": f"test_prepaid_{RUN_ID}"}  # pytest-django appends the worker's name
_database["CONN_MAX_AGE"] = 0
DATABASES = {"default": _database}
REDIS_URL = REDIS_URL or embedded.redis_url()
CELERY_BROKER_URL = celery_broker(REDIS_URL)
CACHES = {
    "default": {
        "BACKEND": "accounts.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"test-{RUN_ID}-{_worker}",
    }
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STRIPE_SECRET_KEY = "sk_test_sandbox"
STRIPE_PUBLISHABLE_KEY = "pk_test_sandbox"
STRIPE_WEBHOOK_SECRET = ["whsec_test"]
