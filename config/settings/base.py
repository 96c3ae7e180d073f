"""What every environment shares. Values that differ come from variables (docs/configuration.md, .env.example)."""

import logging
from pathlib import Path

from celery.schedules import crontab

from config.csp import checkout_additions, pages_policy
from config.environment import Environment, celery_broker, read_environment
from config.logs import configure_structlog, logging_config
from config.settings.accounts import *  # noqa: F403
from config.settings.accounts import google_provider
from config.settings.admin import *  # noqa: F403
from config.settings.api import *  # noqa: F403
from config.settings.schema import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = Environment(read_environment(file=BASE_DIR / ".env"))

IS_PRODUCTION = False
SECRET_KEY = env.text("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
DEBUG = env.flag("DEBUG", default=False)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
PORT = env.integer("PORT", default=8000)
SITE_URL = env.text("SITE_URL", f"http://127.0.0.1:{PORT}")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.google",
    "allauth.usersessions",
    "django_htmx",
    "django_structlog",
    "csp",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "pgtrigger",
    "simple_history",
    "accounts",
    "billing",
    "usage",
]

MIDDLEWARE = [
    "config.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.request_id.RequestIdMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "config.csp.PolicyMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.PrivatePagesMiddleware",
    "billing.middleware.CreditNoticeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "accounts.middleware.StaffSecondFactorMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]

ROOT_URLCONF = "config.urls"
CSRF_FAILURE_VIEW = "billing.views.errors.csrf_failure"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "billing.context_processors.header_balance",
            ],
        },
    },
]

# --- Accounts (config/settings/accounts.py has what needs no variable)
# How many proxies of ours stand before the application: so many entries of X-Forwarded-For are believed.
TRUSTED_PROXY_COUNT = env.integer("TRUSTED_PROXY_COUNT", default=0)
GOOGLE_CLIENT_ID = env.text("GOOGLE_CLIENT_ID")
GOOGLE_CLIENT_SECRET = env.text("GOOGLE_CLIENT_SECRET")
SOCIALACCOUNT_PROVIDERS = google_provider(client_id=GOOGLE_CLIENT_ID, secret=GOOGLE_CLIENT_SECRET)

# --- Storage. Each environment makes DATABASES and CACHES from these two.
DATABASE_URL = env.text("DATABASE_URL")
REDIS_URL = env.text("REDIS_URL")
ATOMIC_REQUESTS = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Mail
EMAIL_URL = env.text("EMAIL_URL")
EMAIL_TIMEOUT = 10
MAIL_FOLDER = str(BASE_DIR / "var" / "mail")  # where development keeps its mail
LOCAL_MAIL_URL = ""  # where a local installation shows the mails that it does not send
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Prepaid <prepaid@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Language and static files
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = "config.formats"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]

# --- Billing (read through billing.conf)
CREDITS_PER_USD = env.integer("CREDITS_PER_USD", default=1000)
SIGNUP_BONUS_CREDITS = env.integer("SIGNUP_BONUS_CREDITS", default=500)
FREE_PLAN_CREDITS = env.integer("FREE_PLAN_CREDITS", default=100)
LOW_BALANCE_THRESHOLD = env.integer("LOW_BALANCE_THRESHOLD", default=100)
CHECKOUT_SESSIONS_PER_MINUTE = env.integer("CHECKOUT_SESSIONS_PER_MINUTE", default=5)
CHECKOUT_PROMOTION_CODES = env.flag("CHECKOUT_PROMOTION_CODES", default=True)
PROMOTION_MIN_PAID_MINOR = env.integer("PROMOTION_MIN_PAID_MINOR", default=0)
VOUCHER_GUESSES_PER_HOUR = env.integer("VOUCHER_GUESSES_PER_HOUR", default=10)
STRIPE_SECRET_KEY = env.text("STRIPE_SECRET_KEY")
STRIPE_PUBLISHABLE_KEY = env.text("STRIPE_PUBLISHABLE_KEY")
STRIPE_WEBHOOK_SECRET = env.words("STRIPE_WEBHOOK_SECRET")
STRIPE_STAND_IN_IS_WANTED = False  # development turns it on when no other Stripe is named
STRIPE_API_BASE = env.text("STRIPE_API_BASE", "https://api.stripe.com")
STRIPE_JS_URL = env.text("STRIPE_JS_URL", "https://js.stripe.com/endive/stripe.js")
STRIPE_BILLING_ENABLED = env.flag("STRIPE_BILLING_ENABLED", default=True)
STRIPE_BILLING_COHORT = env.integer("STRIPE_BILLING_COHORT", default=100)
STRIPE_AUTOMATIC_TAX = env.flag("STRIPE_AUTOMATIC_TAX", default=False)
STRIPE_CONFORMANCE_KEY = env.text("STRIPE_CONFORMANCE_KEY")
FREEZE_ON_DISPUTE = env.flag("FREEZE_ON_DISPUTE", default=True)
DISPUTE_TAKES_BACK_ON = env.text("DISPUTE_TAKES_BACK_ON", "funds_withdrawn")
FINANCE_EMAILS = env.words("FINANCE_EMAILS")
STAFF_CREDIT_LIMIT = env.integer("STAFF_CREDIT_LIMIT", default=1000)
STAFF_CREDIT_DAILY_LIMIT = env.integer("STAFF_CREDIT_DAILY_LIMIT", default=5000)
STAFF_CREDIT_DAILY_TOTAL = env.integer("STAFF_CREDIT_DAILY_TOTAL", default=50_000)
STAFF_REFUND_LIMIT = env.integer("STAFF_REFUND_LIMIT", default=10_000)
WEBHOOK_BODY_RETENTION_DAYS = env.integer("WEBHOOK_BODY_RETENTION_DAYS", default=90)
METRICS_TOKEN = env.text("METRICS_TOKEN")
LLM_STAND_IN_IS_WANTED = False  # development turns it on when no provider is named
LLM_BASE_URL = env.text("LLM_BASE_URL")
LLM_API_KEY = env.text("LLM_API_KEY")
LLM_API_PROVIDERS = env.words("LLM_API_PROVIDERS")  # API in the name keeps it out of pages about errors
LLM_TIMEOUT_SECONDS = env.integer("LLM_TIMEOUT_SECONDS", default=120)
DEFAULT_PRICE_MODEL = env.text("DEFAULT_PRICE_MODEL")
SUMMARY_MODEL = env.text("SUMMARY_MODEL", "gpt-5-mini")
SUMMARY_REPOSITORIES = env.words("SUMMARY_REPOSITORIES")
# What the sweeper does after billing's own chores: a name for its log, and a function without arguments that counts.
API_KEYS_ALLOWED = "billing.selectors.plan_limits.most_api_keys"  # of (user): how many live keys, or None
SWEEP_CHORES = {"summaries_due": "usage.services.summary_runs.run_due_summaries"}
API_REQUESTS_PER_MINUTE = env.integer("API_REQUESTS_PER_MINUTE", default=600)
API_OPEN_STREAMS = env.integer("API_OPEN_STREAMS", default=50)

TOKENIZER = ""  # "module.function" of (text, model) that counts tokens; without one four characters are a token
LATE_USAGE_DAYS = 30
PLAN_CREDITS_GRACE_DAYS = 3  # how long an allowance outlives its period
PLAN_PAYMENT_GRACE_DAYS = 7  # how long a plan goes on that is past due
API_KEY_PREFIX = "ppk_test"  # production's is ppk_live: neither takes the other's keys
CUSTOM_AMOUNT_MIN_MINOR = 500  # US cents: what a buyer may choose to pay, at list price
CUSTOM_AMOUNT_MAX_MINOR = 50_000
HOLD_TIMEOUT_MINUTES = 15
LATE_SETTLE_WINDOW_HOURS = 24
STAFF_APPROVAL_HOURS = 24  # what a second person has not decided by then is off
PARKED_EVENT_LIFETIME_HOURS = 72
WEBHOOK_MAX_TRIES = 8
WEBHOOKS_MAY_REACH_LOOPBACK = False  # webhooks that we send: to this machine, which development alone may want
EXPORT_XLSX_MAX_ROWS = 50_000  # a workbook is written whole before it can be sent; CSV has no limit

# --- Celery: a wake-up call for what the tables say is due. A lost one costs seconds (the sweeper), so publishing never
# waits for a broker, a task is acknowledged before it runs, and nobody reads results.
CELERY_BROKER_URL = celery_broker(REDIS_URL)
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_SOFT_TIME_LIMIT = 120
CELERY_TASK_TIME_LIMIT = 150
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    # For when the sweeper is down. What was not run in time is not run twice.
    "work-off-inbox": {"task": "billing.work_off_inbox", "schedule": 30.0, "options": {"expires": 30}},
    "fetch-receipts": {"task": "billing.fetch_receipts", "schedule": 60.0, "options": {"expires": 60}},
    "look-after-top-ups": {"task": "billing.look_after_top_ups", "schedule": 60.0, "options": {"expires": 60}},
    "send-refunds": {"task": "billing.send_refunds", "schedule": 60.0, "options": {"expires": 60}},
    "expand-notices": {"task": "billing.expand_notices", "schedule": 30.0, "options": {"expires": 30}},
    "send-webhooks": {"task": "billing.send_webhooks", "schedule": 30.0, "options": {"expires": 30}},
    "watch-alarms": {"task": "billing.watch_alarms", "schedule": 60.0, "options": {"expires": 60}},
    "purge-deliveries": {
        "task": "billing.purge_deliveries",
        "schedule": crontab(hour=2, minute=10),
        "options": {"expires": 3600},
    },
    "send-mails": {"task": "billing.send_mails", "schedule": 60.0, "options": {"expires": 60}},
    "announce-expiring": {
        "task": "billing.announce_expiring",
        "schedule": crontab(minute=10),
        "options": {"expires": 3000},
    },
    "redact-events": {
        "task": "billing.redact_events",
        "schedule": crontab(hour=2, minute=30),
        "options": {"expires": 3600},
    },
    "purge-answers": {
        "task": "billing.purge_answers",
        "schedule": crontab(hour=2, minute=50),
        "options": {"expires": 3600},
    },
    "reconcile-recent": {"task": "billing.reconcile_recent", "schedule": 900.0, "options": {"expires": 900}},
    "reconcile-in-full": {
        "task": "billing.reconcile_in_full",
        "schedule": crontab(hour=3, minute=15),
        "options": {"expires": 3600},
    },
    "grant-free-plan": {"task": "billing.grant_free_plan", "schedule": crontab(minute=5), "options": {"expires": 3300}},
    "run-summaries": {"task": "usage.run_due_summaries", "schedule": 60.0, "options": {"expires": 60}},
    "verify-recent": {"task": "billing.verify_recent", "schedule": 60.0, "options": {"expires": 60}},
    "verify-in-full": {
        "task": "billing.verify_in_full",
        "schedule": crontab(hour=4, minute=45),
        "options": {"expires": 3600},
    },
}

# --- The browser's safety
CONTENT_SECURITY_POLICY = {"DIRECTIVES": pages_policy(google_login=bool(GOOGLE_CLIENT_ID))}
CHECKOUT_CSP = checkout_additions(js_url=STRIPE_JS_URL, api_base=STRIPE_API_BASE)
PERMISSIONS_POLICY: dict[str, list[str]] = {
    **{
        feature: []
        for feature in ("accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "geolocation")
    },
    **{feature: [] for feature in ("gyroscope", "magnetometer", "microphone", "midi", "usb")},
    "payment": ["self", "https://js.stripe.com", "https://checkout.stripe.com"],
    "publickey-credentials-get": ["self"],
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin-allow-popups"  # 3-D Secure and wallets open windows that answer back
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"

# --- Logs
LOG_FORMAT = env.text("LOG_FORMAT", "console")
LOGGING = logging_config(LOG_FORMAT)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True  # RequestIdMiddleware has made sure of it
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # one line a request: its end
configure_structlog()
