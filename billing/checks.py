"""System checks of every variable (docs/configuration.md): each has an id for good and shows the shape it expects."""

import re
from collections.abc import Callable, Iterator, Sequence
from email.utils import parseaddr
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104  # compared, not bound
MISSING_SECRET: Final = "django-insecure"  # noqa: S105  # how the placeholder of production begins
ADDRESS_SHAPE: Final = "an https:// address"


class Variable(NamedTuple):
    """One variable: its check's id, its shape in words, and whether a value has that shape."""

    id: str
    name: str
    shape: str
    has_shape: Callable[[Any], bool]
    is_needed: Callable[[], bool] = bool  # never, unless a row says otherwise


def _always() -> bool:
    return True


def _in_production() -> bool:
    return bool(settings.IS_PRODUCTION)


def _when_selling() -> bool:
    return bool(settings.STRIPE_BILLING_ENABLED)


def _matches(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _each(has_shape: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda values: all(has_shape(value) for value in values)


def _is_at_least(least: int) -> Callable[[Any], bool]:
    return lambda value: value >= least


def _is_http_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and " " not in value
    except ValueError:
        return False


def _is_redis_address(value: str) -> bool:
    if re.fullmatch(r"unix://\S*/\S+", value):
        return True
    try:
        urlsplit(value).port  # noqa: B018  # raises where it is no port
    except ValueError:
        return False
    return re.fullmatch(r"rediss?://[^\s/]+(/\d+)?(\?\S*)?", value) is not None


def _host_of(url: str) -> tuple[str, str]:
    """Scheme and host of an address; empty where it cannot be read, which its own check tells."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.hostname or ""


def _is_site_address(value: str) -> bool:
    is_safe = value.startswith("https://") or not settings.IS_PRODUCTION
    return _is_http_address(value) and is_safe and urlsplit(value).path in ("", "/")


def _is_mailbox(value: str) -> bool:
    try:
        validate_email(parseaddr(value)[1])
    except ValidationError:
        return False
    return True


def _is_secret_key(value: str) -> bool:
    return len(value) >= 50 and not value.startswith(MISSING_SECRET) and len(set(value)) >= 5


def _any(value: Any) -> bool:
    return True


FLAG: Final = "true or false"
VARIABLES: Final = (
    Variable("E001", "SECRET_KEY", "at least 50 random characters", _is_secret_key, _in_production),
    Variable("E002", "DEBUG", FLAG, _any),
    Variable(
        "E003",
        "ALLOWED_HOSTS",
        "host names without scheme or path, comma-separated: billing.example.com",
        _each(_matches(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:]+\]")),
        _in_production,
    ),
    Variable(
        "E004",
        "SITE_URL",
        "the address customers use, without a path, https in production: https://billing.example.com",
        _is_site_address,
        _always,
    ),
    Variable("E005", "DATABASE_URL", "postgresql://user:password@host:5432/name", _any, _in_production),
    Variable(
        "E006",
        "REDIS_URL",
        "redis://host:6379/0, rediss://… or unix:///path/to/socket?db=0",
        _is_redis_address,
        _in_production,
    ),
    Variable(
        "E007",
        "STRIPE_SECRET_KEY",
        "sk_test_…, sk_live_…, rk_test_… or rk_live_…",
        _matches(r"[sr]k_(test|live)_\w+"),
        _when_selling,
    ),
    Variable(
        "E008", "STRIPE_PUBLISHABLE_KEY", "pk_test_… or pk_live_…", _matches(r"pk_(test|live)_\w+"), _when_selling
    ),
    Variable(
        "E009",
        "STRIPE_WEBHOOK_SECRET",
        "whsec_…, several comma-separated while rotating",
        _each(_matches(r"whsec_[\w+/=-]+")),
        _when_selling,
    ),
    Variable("E010", "STRIPE_API_BASE", ADDRESS_SHAPE + ": https://api.stripe.com", _is_http_address, _always),
    Variable(
        "E011",
        "STRIPE_JS_URL",
        ADDRESS_SHAPE + ": https://js.stripe.com/endive/stripe.js",
        _is_http_address,
        _always,
    ),
    Variable("E012", "STRIPE_BILLING_ENABLED", FLAG, _any),
    Variable("E013", "LLM_BASE_URL", ADDRESS_SHAPE + " of an OpenAI-compatible API: https://host/v1", _is_http_address),
    Variable("E014", "LLM_API_KEY", "one word", _matches(r"\S+")),
    Variable("E015", "CREDITS_PER_USD", "a whole number above 0: 1000", _is_at_least(1)),
    Variable("E016", "SIGNUP_BONUS_CREDITS", "a whole number, 0 is none: 500", _is_at_least(0)),
    Variable("E017", "FREE_PLAN_CREDITS", "a whole number, 0 is none: 100", _is_at_least(0)),
    Variable("E018", "CHECKOUT_SESSIONS_PER_MINUTE", "a whole number, 0 is no limit: 5", _is_at_least(0)),
    Variable("E019", "FREEZE_ON_DISPUTE", FLAG, _any),
    Variable("E020", "LOW_BALANCE_THRESHOLD", "a whole number of credits: 100", _is_at_least(0)),
    Variable("E021", "FINANCE_EMAILS", "e-mail addresses, comma-separated: ann@example.com", _each(_is_mailbox)),
    Variable("E022", "STRIPE_BILLING_COHORT", "percent of customers, 0 to 100", lambda value: 0 <= value <= 100),
    Variable("E023", "STRIPE_AUTOMATIC_TAX", FLAG, _any),
    Variable("E024", "STRIPE_CONFORMANCE_KEY", "sk_test_… or rk_test_…", _matches(r"[sr]k_test_\w+")),
    Variable(
        "E025",
        "DISPUTE_TAKES_BACK_ON",
        "funds_withdrawn or created",
        lambda value: value in ("funds_withdrawn", "created"),
        _always,
    ),
    Variable("E026", "EMAIL_URL", "smtp+tls://user:password@host:587", _any, _in_production),
    Variable("E027", "DEFAULT_FROM_EMAIL", "Prepaid <billing@example.com>", _is_mailbox, _always),
    Variable("E028", "GOOGLE_CLIENT_ID", "….apps.googleusercontent.com", _matches(r"\S+")),
    Variable("E029", "GOOGLE_CLIENT_SECRET", "one word", _matches(r"\S+")),
    Variable("E030", "LOG_FORMAT", "console or json", lambda value: value in ("console", "json"), _always),
    Variable("E031", "TRUSTED_PROXY_COUNT", "a whole number: 1 behind one proxy", _is_at_least(0)),
    Variable("E032", "PORT", "a port number: 8000", lambda value: 0 < value < 65_000, _always),
    Variable("E033", "SECRET_KEY_FALLBACKS", "former keys, comma-separated", _each(_matches(r"\S{20,}"))),
    Variable("E035", "STAFF_CREDIT_LIMIT", "a whole number of credits: 1000", _is_at_least(0)),
    Variable("E036", "STAFF_CREDIT_DAILY_LIMIT", "a whole number of credits: 5000", _is_at_least(0)),
    Variable("E037", "STAFF_CREDIT_DAILY_TOTAL", "a whole number of credits: 50000", _is_at_least(0)),
    Variable("E038", "STAFF_REFUND_LIMIT", "a whole number of minor units: 10000", _is_at_least(0)),
    Variable("E039", "WEBHOOK_BODY_RETENTION_DAYS", "a whole number of days: 90", _is_at_least(1), _always),
    Variable("E048", "DEFAULT_PRICE_MODEL", "a model's name: gpt-5-mini", _matches(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")),
    Variable(
        "E049",
        "LLM_API_PROVIDERS",
        "name=https://host/v1|key, comma-separated",
        _each(_matches(r"[A-Za-z0-9._-]+\s*=\s*https?://[^\s|]+(\|\S*)?")),
    ),
    Variable("E050", "LLM_TIMEOUT_SECONDS", "a whole number of seconds above 0: 120", _is_at_least(1), _always),
    Variable("E051", "API_OPEN_STREAMS", "a whole number, 0 is no limit: 50", _is_at_least(0)),
    Variable("E052", "API_REQUESTS_PER_MINUTE", "a whole number, 0 is no limit: 600", _is_at_least(0)),
    Variable("E070", "CHECKOUT_PROMOTION_CODES", FLAG, _any),
    Variable("E071", "PROMOTION_MIN_PAID_MINOR", "a whole number of minor units, 0 is none: 100", _is_at_least(0)),
    Variable("E072", "VOUCHER_GUESSES_PER_HOUR", "a whole number, 0 is no limit: 10", _is_at_least(0)),
    Variable("E034", "METRICS_TOKEN", "at least 20 characters without a blank", _matches(r"[!-~]{20,}")),
)


@register("configuration")
def check_variables(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """An error for each variable that is missing or malformed. The value is never shown: it may be a secret."""
    return [_error(variable.id, fault) for variable in VARIABLES if (fault := find_fault(variable))]


@register("configuration")
def check_combinations(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """An error for each pair of variables that must not stand together."""
    return [_error(id_, fault) for id_, fault in _combination_faults()]


def find_fault(variable: Variable) -> str | None:
    """What is wrong with a variable, in a sentence that names it and shows its shape; None if nothing is."""
    if variable.name in settings.MALFORMED_VARIABLES:
        return _describe(variable, "malformed")
    value = getattr(settings, variable.name)
    if value in ("", [], None) or str(value).startswith(MISSING_SECRET):
        return _describe(variable, "missing") if variable.is_needed() else None
    return None if variable.has_shape(value) else _describe(variable, "malformed")


def _describe(variable: Variable, fault: str) -> str:
    return f"{variable.name} is {fault}. It should look like this: {variable.shape}."


def _combination_faults() -> Iterator[tuple[str, str]]:
    keys = (settings.STRIPE_SECRET_KEY, settings.STRIPE_PUBLISHABLE_KEY)
    is_live, is_test = (any(mode in key for key in keys) for mode in ("k_live_", "k_test_"))
    hosts = {name: _host_of(getattr(settings, name)) for name in ("STRIPE_API_BASE", "STRIPE_JS_URL")}
    if is_live and is_test:
        yield "E040", "STRIPE_SECRET_KEY and STRIPE_PUBLISHABLE_KEY mix test and live: both should be of one kind."
    if is_live and settings.DEBUG:
        yield "E041", "STRIPE_SECRET_KEY is live while DEBUG is on. It should look like this: sk_test_…."
    if is_test and settings.IS_PRODUCTION:
        yield "E042", "STRIPE_SECRET_KEY is for tests, in production. It should look like this: sk_live_…."
    for name, (scheme, host) in hosts.items():
        is_stand_in = scheme != "https" or host in LOOPBACK
        if is_stand_in and settings.IS_PRODUCTION:
            yield "E043", f"{name} is a stand-in's, in production. It should look like this: https://….stripe.com."
    if is_live and not hosts["STRIPE_API_BASE"][1].endswith(".stripe.com"):
        yield (
            "E044",
            "STRIPE_API_BASE is not Stripe's, the key is live. It should look like this: https://api.stripe.com.",
        )
    if settings.DEBUG and settings.IS_PRODUCTION:
        yield "E045", "DEBUG is on in production. It should look like this: false."
    if is_live and hosts["STRIPE_JS_URL"][1] != "js.stripe.com":  # whoever serves this script sees card numbers
        yield (
            "E047",
            "STRIPE_JS_URL is not Stripe's, the key is live. It should look like this: "
            "https://js.stripe.com/endive/stripe.js.",
        )
    if bool(settings.GOOGLE_CLIENT_ID) != bool(settings.GOOGLE_CLIENT_SECRET):
        yield "E046", "GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET go together: give both or neither."


def _error(id_: str, fault: str) -> Error:
    return Error(fault, id=f"billing.{id_}")
