"""Development: embedded PostgreSQL and Valkey, and the Stripe stand-in, unless variables name others."""

from config.csp import checkout_additions
from config.environment import celery_broker
from config.settings.base import *  # noqa: F403
from config.settings.base import (
    ALLOWED_HOSTS,
    DATABASE_URL,
    EMAIL_URL,
    INSTALLED_APPS,
    PORT,
    REDIS_URL,
    SECRET_KEY,
    STATIC_ROOT,
    STRIPE_API_BASE,
    STRIPE_JS_URL,
    STRIPE_PUBLISHABLE_KEY,
    STRIPE_SECRET_KEY,
    STRIPE_WEBHOOK_SECRET,
    SUMMARY_REPOSITORIES,
    env,
)
from config.storage import redis_cache
from sandbox import defaults, embedded

DEBUG = env.flag("DEBUG", default=True)
SECRET_KEY = SECRET_KEY or "local-only-not-a-secret-" + "x" * 40
ALLOWED_HOSTS = ALLOWED_HOSTS or ["127.0.0.1", "localhost", "[::1]"]
INSTALLED_APPS = [*INSTALLED_APPS, "sandbox"]

if not (DATABASE_URL and REDIS_URL):
    embedded.ensure_running()
DATABASES = {"default": env.database("DATABASE_URL", default=embedded.database_url())}
REDIS_URL = REDIS_URL or embedded.redis_url()
CELERY_BROKER_URL = celery_broker(REDIS_URL)
CACHES = {"default": redis_cache(REDIS_URL)}

STRIPE_STAND_IN_IS_WANTED = not env.is_given("STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY", "STRIPE_API_BASE")
if STRIPE_STAND_IN_IS_WANTED:
    STRIPE_API_BASE = defaults.stripe_api_base(web_port=PORT)
    STRIPE_JS_URL = defaults.stripe_js_url(STRIPE_API_BASE)
    STRIPE_SECRET_KEY = defaults.STRIPE_SECRET_KEY
    STRIPE_PUBLISHABLE_KEY = defaults.STRIPE_PUBLISHABLE_KEY
    STRIPE_WEBHOOK_SECRET = STRIPE_WEBHOOK_SECRET or [defaults.STRIPE_WEBHOOK_SECRET]
    CHECKOUT_CSP = checkout_additions(js_url=STRIPE_JS_URL, api_base=STRIPE_API_BASE)

SUMMARY_REPOSITORIES = SUMMARY_REPOSITORIES or [str(embedded.VAR / defaults.DEMO_REPOSITORY)]

LLM_STAND_IN_IS_WANTED = not env.is_given("LLM_BASE_URL")
if LLM_STAND_IN_IS_WANTED:
    LLM_BASE_URL, LLM_API_KEY = defaults.llm_base_url(web_port=PORT), defaults.LLM_API_KEY

if EMAIL_URL:
    vars().update(env.email("EMAIL_URL"))
else:
    EMAIL_BACKEND = "sandbox.mail.Backend"
    MAIL_FOLDER = str(embedded.VAR / "mail")
    LOCAL_MAIL_URL = f"{STRIPE_API_BASE}/sandbox/mail/" if STRIPE_STAND_IN_IS_WANTED else ""

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WEBHOOKS_MAY_REACH_LOOPBACK = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True  # security keys over plain http, on this machine only
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
STATIC_ROOT.mkdir(exist_ok=True)  # whitenoise warns where it is missing
MALFORMED_VARIABLES = frozenset(env.malformed)
