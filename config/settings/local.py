"""Development: embedded PostgreSQL and Valkey unless the environment names others."""

from config.settings.base import *  # noqa: F403
from config.settings.base import BASE_DIR, DATABASE_URL, INSTALLED_APPS, REDIS_URL, celery_broker, env, postgresql
from sandbox import embedded

DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = env.str("SECRET_KEY", default="local-only-not-a-secret-" + "x" * 40)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
INSTALLED_APPS = [*INSTALLED_APPS, "sandbox"]

if not (DATABASE_URL and REDIS_URL):
    embedded.ensure_running()
DATABASES = {"default": postgresql(DATABASE_URL or embedded.database_url())}
REDIS_URL = REDIS_URL or embedded.redis_url()
CELERY_BROKER_URL = celery_broker(REDIS_URL)
CACHES = {"default": {"BACKEND": "accounts.cache.ForgivingRedisCache", "LOCATION": REDIS_URL}}
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True  # security keys over plain http, on this machine only
