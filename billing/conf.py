"""Billing's settings, typed. The only module of billing (beside its system checks) that reads django.conf.settings.

Functions and not constants, so that a changed setting holds at the next call (and in a test at once).
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from email.utils import parseaddr

from django.conf import settings
from django.utils.module_loading import import_string


def credits_per_usd() -> Decimal:
    """Credits that one US dollar of cost is worth."""
    return Decimal(settings.CREDITS_PER_USD)


def signup_bonus_credits() -> Decimal:
    """Credits given when the first address of a new customer is verified; 0 is none."""
    return Decimal(settings.SIGNUP_BONUS_CREDITS)


def free_plan_credits() -> Decimal:
    """Credits a month that a customer without a plan gets; 0 is none."""
    return Decimal(settings.FREE_PLAN_CREDITS)


def plan_credits_grace() -> timedelta:
    """How long an allowance outlives its period, so that a payment that comes late leaves no gap."""
    return timedelta(days=settings.PLAN_CREDITS_GRACE_DAYS)


def plan_payment_grace() -> timedelta:
    """How long a plan goes on whose payment is past due; then it is Free."""
    return timedelta(days=settings.PLAN_PAYMENT_GRACE_DAYS)


def low_balance_threshold() -> Decimal:
    """Below so many available credits a balance counts as low."""
    return Decimal(settings.LOW_BALANCE_THRESHOLD)


def checkout_sessions_per_minute() -> int:
    """Checkout sessions a minute for one user, and for one address; 0 is no limit."""
    return int(settings.CHECKOUT_SESSIONS_PER_MINUTE)


def voucher_guesses_per_hour() -> int:
    """Codes that bring nothing, in an hour, for one customer, and for one address; 0 is no limit."""
    return int(settings.VOUCHER_GUESSES_PER_HOUR)


def are_promotion_codes_taken() -> bool:
    """Whether checkouts of packs and plans ask for Stripe's promotion codes."""
    return bool(settings.CHECKOUT_PROMOTION_CODES)


def promotion_min_paid_minor() -> int:
    """What a purchase must still cost after a promotion code, in minor units of its currency; 0: a code may be free."""
    return int(settings.PROMOTION_MIN_PAID_MINOR)


def custom_amount_limits_minor() -> tuple[int, int]:
    """The least and the most, in US cents, that a buyer may choose to pay."""
    return int(settings.CUSTOM_AMOUNT_MIN_MINOR), int(settings.CUSTOM_AMOUNT_MAX_MINOR)


def site_url() -> str:
    """Where customers reach the product, without a trailing slash: what Stripe and mails link back to."""
    return str(settings.SITE_URL).rstrip("/")


def local_mail_url() -> str:
    """Where a local installation shows the mails that it does not send; empty elsewhere."""
    return str(settings.LOCAL_MAIL_URL)


def mail_domain() -> str:
    """The domain that mails come from: the right half of their Message-ID."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def stripe_secret_key() -> str:
    return str(settings.STRIPE_SECRET_KEY)


def stripe_publishable_key() -> str:
    return str(settings.STRIPE_PUBLISHABLE_KEY)


def stripe_webhook_secrets() -> tuple[str, ...]:
    """All secrets that a webhook may be signed with: several while they are rotated, newest first."""
    return tuple(settings.STRIPE_WEBHOOK_SECRET)


def stripe_api_base() -> str:
    """The address of Stripe's API, or of the stand-in, without a trailing slash."""
    return str(settings.STRIPE_API_BASE).rstrip("/")


def stripe_js_url() -> str:
    return str(settings.STRIPE_JS_URL)


def is_live() -> bool:
    """Whether the keys move real money; a webhook's `livemode` must agree."""
    return stripe_secret_key().startswith(("sk_live_", "rk_live_"))


def is_billing_enabled() -> bool:
    """Whether anything is sold at all; refunds, disputes and spending go on without."""
    return bool(settings.STRIPE_BILLING_ENABLED)


def billing_cohort_percent() -> int:
    """Percent of customers that may buy, 0 to 100."""
    return int(settings.STRIPE_BILLING_COHORT)


def is_automatic_tax_on() -> bool:
    return bool(settings.STRIPE_AUTOMATIC_TAX)


def is_frozen_on_dispute() -> bool:
    """Whether a new dispute freezes the customer until it is closed or staff lift it."""
    return bool(settings.FREEZE_ON_DISPUTE)


def dispute_takes_back_on() -> str:
    """`funds_withdrawn` or `created`: which of a dispute's events takes the credits back."""
    return str(settings.DISPUTE_TAKES_BACK_ON)


def finance_emails() -> tuple[str, ...]:
    """Who is told of findings of reconciliation."""
    return tuple(settings.FINANCE_EMAILS)


def default_price_model() -> str:
    """The model whose price a model without one gets; empty: it is refused."""
    return str(settings.DEFAULT_PRICE_MODEL)


def api_requests_per_minute() -> int:
    """Requests a minute for one API key, and for one address; 0 is no limit."""
    return int(settings.API_REQUESTS_PER_MINUTE)


def staff_credit_limit() -> Decimal:
    """Credits that one member of staff may give or take by one entry without a second person."""
    return Decimal(settings.STAFF_CREDIT_LIMIT)


def staff_credit_daily_limit() -> Decimal:
    """Credits that one member of staff may give and take in a UTC day without a second person."""
    return Decimal(settings.STAFF_CREDIT_DAILY_LIMIT)


def staff_credit_daily_total() -> Decimal:
    """Credits that all staff together may give and take in a UTC day without a second person."""
    return Decimal(settings.STAFF_CREDIT_DAILY_TOTAL)


def staff_approval_window() -> timedelta:
    """How long a second person has to decide."""
    return timedelta(hours=settings.STAFF_APPROVAL_HOURS)


def staff_refund_limit_minor() -> int:
    """What one refund of staff may give back without a second person, in minor units of the payment's currency."""
    return int(settings.STAFF_REFUND_LIMIT)


def webhook_body_retention() -> timedelta:
    """How long webhooks are kept as received; after it names, addresses and e-mail are taken out."""
    return timedelta(days=settings.WEBHOOK_BODY_RETENTION_DAYS)


def hold_timeout() -> timedelta:
    """How long a hold stands when its caller names no time."""
    return timedelta(minutes=settings.HOLD_TIMEOUT_MINUTES)


def late_settle_window() -> timedelta:
    """How long after its expiry a hold may still be settled, once."""
    return timedelta(hours=settings.LATE_SETTLE_WINDOW_HOURS)


def parked_event_lifetime() -> timedelta:
    """How long an event of an unknown object waits for that object before it becomes a finding."""
    return timedelta(hours=settings.PARKED_EVENT_LIFETIME_HOURS)


def webhook_max_tries() -> int:
    """After so many failures an event is dead until staff replay it."""
    return int(settings.WEBHOOK_MAX_TRIES)


def export_xlsx_max_rows() -> int:
    """How many rows a workbook may have; CSV has no limit."""
    return int(settings.EXPORT_XLSX_MAX_ROWS)


def further_chores() -> dict[str, Callable[[], int]]:
    """What the sweeper does for other apps, by the names that its log gives them."""
    return {name: import_string(path) for name, path in settings.SWEEP_CHORES.items()}


def metrics_token() -> str:
    """What a reader of /metrics must send; empty where nobody may read it."""
    return str(settings.METRICS_TOKEN)


def is_debug() -> bool:
    return bool(settings.DEBUG)


def secret_keys() -> tuple[str, ...]:
    """The keys that secrets at rest may be sealed with; the first one seals."""
    return (str(settings.SECRET_KEY), *map(str, settings.SECRET_KEY_FALLBACKS))


def webhooks_may_reach_loopback() -> bool:
    """Whether endpoints of webhooks may be on this machine, by plain http: in development, and where a test says so."""
    return bool(settings.WEBHOOKS_MAY_REACH_LOOPBACK)


def contact_address() -> str:
    """Where people write to who want to talk to us: the sender of our mails."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
