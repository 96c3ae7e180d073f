"""Tests: a real PostgreSQL and Valkey; each run and each worker has a database and a cache prefix of its own."""

import os

from config.environment import celery_broker
from config.settings.base import *  # noqa: F403
from config.settings.base import DATABASE_URL, INSTALLED_APPS, REDIS_URL, STATIC_ROOT, env
from config.storage import redis_cache
from sandbox import defaults, embedded

DEBUG = False
SECRET_KEY = "test-only-not-a-secret-" + "x" * 40
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
INSTALLED_APPS = [*INSTALLED_APPS, "sandbox"]

if not (DATABASE_URL and REDIS_URL):
    embedded.ensure_running()

_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
RUN_ID = os.environ.get("PREPAID_TEST_RUN") or str(os.getppid() if _worker else os.getpid())
_database = env.database("DATABASE_URL", default=embedded.database_url())
_database["OPTIONS"]["options"] = "-c prepaid.allow_truncate=on -c synchronous_commit=off"
_database["TEST"] = {"NAME": f"test_prepaid_{RUN_ID}"}  # pytest-django appends the worker's name
_database["CONN_MAX_AGE"] = 0
DATABASES = {"default": _database}
REDIS_URL = REDIS_URL or embedded.redis_url()
CELERY_BROKER_URL = celery_broker(REDIS_URL)
CACHES = {"default": {**redis_cache(REDIS_URL), "KEY_PREFIX": f"test-{RUN_ID}-{_worker}"}}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
if _mail_port := os.environ.get("PREPAID_TEST_SMTP_PORT"):  # of processes that a test starts beside a mail server
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT = "127.0.0.1", int(_mail_port)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STRIPE_SECRET_KEY = defaults.STRIPE_SECRET_KEY
STRIPE_PUBLISHABLE_KEY = defaults.STRIPE_PUBLISHABLE_KEY
STRIPE_WEBHOOK_SECRET = ["whsec_test"]
# Nobody listens there: a test that needs a stand-in names its own, to processes that it starts by these variables.
STRIPE_API_BASE = os.environ.get("PREPAID_TEST_STRIPE", "http://127.0.0.1:9")
API_REQUESTS_PER_MINUTE = 0  # all tests of a worker come from one address; those of the limits set their own
LLM_API_KEY = os.environ.get("PREPAID_TEST_LLM_KEY", "")
LLM_BASE_URL = os.environ.get("PREPAID_TEST_LLM", "http://127.0.0.1:9/v1")
WEBHOOKS_MAY_REACH_LOOPBACK = "PREPAID_TEST_WEBHOOKS" in os.environ  # tests set it for themselves
STATIC_ROOT.mkdir(exist_ok=True)  # whitenoise warns where it is missing
MALFORMED_VARIABLES = frozenset(env.malformed)
