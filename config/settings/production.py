"""Production: everything that matters comes from variables, and system checks refuse what is missing or malformed."""

from config.logs import logging_config
from config.settings.base import *  # noqa: F403
from config.settings.base import REDIS_URL, SECRET_KEY, env
from config.storage import guarded_by_timeouts, redis_cache

IS_PRODUCTION = True
STAFF_NEEDS_SECOND_FACTOR = True
API_KEY_PREFIX = "ppk_live"
SECRET_KEY = SECRET_KEY or "django-insecure-because-SECRET_KEY-is-missing"
DATABASES = {"default": guarded_by_timeouts(env.database("DATABASE_URL"))}
CACHES = {"default": redis_cache(REDIS_URL)}
vars().update(env.email("EMAIL_URL"))
LOG_FORMAT = env.text("LOG_FORMAT", "json")
LOGGING = logging_config(LOG_FORMAT)
STAFF_NEEDS_SECOND_FACTOR = True

SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # the proxy in front must set it, and drop a client's own
SECURE_HSTS_SECONDS = 366 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MALFORMED_VARIABLES = frozenset(env.malformed)
