"""One test for each id of the configuration's checks, and that a right configuration passes them all."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from pytest_django import Settings

from billing.checks import VARIABLES, check_combinations, check_variables

RIGHT: dict[str, Any] = {
    "IS_PRODUCTION": True,
    "MALFORMED_VARIABLES": frozenset(),
    "SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLM",
    "DEBUG": False,
    "ALLOWED_HOSTS": ["billing.example.com", ".example.org", "[::1]"],
    "SITE_URL": "https://billing.example.com",
    "DATABASE_URL": "postgresql://user:pw@host/name",
    "REDIS_URL": "redis://host:6379/0",
    "EMAIL_URL": "smtp+tls://host",
    "STRIPE_SECRET_KEY": "sk_live_abc",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_abc",
    "STRIPE_WEBHOOK_SECRET": ["whsec_new", "whsec_old+/="],
    "STRIPE_API_BASE": "https://api.stripe.com",
    "STRIPE_JS_URL": "https://js.stripe.com/endive/stripe.js",
    "STRIPE_CONFORMANCE_KEY": "sk_test_abc",
    "LLM_BASE_URL": "https://llm.example.com/v1",
    "LLM_API_KEY": "llm-key",
    "LLM_API_PROVIDERS": ["anthropic=https://api.example.com/v1|key-1", "local=http://127.0.0.1:9000/v1"],
    "FINANCE_EMAILS": ["ann@example.com"],
    "DEFAULT_FROM_EMAIL": "Prepaid <billing@example.com>",
    "GOOGLE_CLIENT_ID": "1.apps.googleusercontent.com",
    "GOOGLE_CLIENT_SECRET": "secret",
    "LOG_FORMAT": "json",
    "METRICS_TOKEN": "0123456789-abcdefghij",
}
MALFORMED: dict[str, list[Any]] = {
    "SECRET_KEY": ["short", "a" * 60],
    "ALLOWED_HOSTS": [["https://billing.example.com"], ["host/path"], ["*"]],
    "SITE_URL": [
        "billing.example.com",
        "http://billing.example.com",
        "https://billing.example.com/path",
        "https://h:port",
    ],
    "REDIS_URL": ["host:6379", "http://host", "unix:socket", "redis://host:port/0", "redis://[::1/0"],
    "STRIPE_SECRET_KEY": ["pk_live_abc", "sk_abc", "sk_live_", "whsec_abc", "sk_live_a b"],
    "STRIPE_PUBLISHABLE_KEY": ["sk_live_abc", "pk_abc"],
    "STRIPE_WEBHOOK_SECRET": [["sk_live_abc"], ["whsec_ok", "nonsense"]],
    "STRIPE_API_BASE": ["api.stripe.com", "ftp://api.stripe.com", "https://[api.stripe.com"],
    "STRIPE_JS_URL": ["js.stripe.com/endive/stripe.js", "https://[js.stripe.com"],
    "LLM_BASE_URL": ["llm.example.com"],
    "LLM_API_KEY": ["two words"],
    "LLM_API_PROVIDERS": [
        ["https://api.example.com/v1|key"],
        ["anthropic=api.example.com|key"],
        ["a=https://b/v1|two words"],
    ],
    "LLM_TIMEOUT_SECONDS": [0, -1],
    "API_REQUESTS_PER_MINUTE": [-1],
    "API_OPEN_STREAMS": [-1],
    "CREDITS_PER_USD": [0, -1],
    "SIGNUP_BONUS_CREDITS": [-1],
    "FREE_PLAN_CREDITS": [-1],
    "CHECKOUT_SESSIONS_PER_MINUTE": [-1],
    "LOW_BALANCE_THRESHOLD": [-1],
    "FINANCE_EMAILS": [["ann"], ["ann@example.com", "bob@"]],
    "STRIPE_BILLING_COHORT": [-1, 101],
    "STRIPE_CONFORMANCE_KEY": ["sk_live_abc", "nonsense"],
    "DISPUTE_TAKES_BACK_ON": ["funds_reinstated", ""],
    "DEFAULT_FROM_EMAIL": ["nobody", "Prepaid <billing>"],
    "GOOGLE_CLIENT_ID": ["two words"],
    "GOOGLE_CLIENT_SECRET": ["two words"],
    "LOG_FORMAT": ["xml"],
    "METRICS_TOKEN": ["short", "two words are no good token", "ünüsable-in-a-header"],
    "TRUSTED_PROXY_COUNT": [-1],
    "SECRET_KEY_FALLBACKS": [["short"]],
    "PORT": [0, -1, 70_000],
    "STAFF_CREDIT_LIMIT": [-1],
    "STAFF_CREDIT_DAILY_LIMIT": [-1],
    "STAFF_CREDIT_DAILY_TOTAL": [-1],
    "STAFF_REFUND_LIMIT": [-1],
    "WEBHOOK_BODY_RETENTION_DAYS": [0, -1],
    "DEFAULT_PRICE_MODEL": ["two words", "-gpt"],
}
NEEDED = {
    *("SECRET_KEY", "ALLOWED_HOSTS", "SITE_URL", "DATABASE_URL", "REDIS_URL", "EMAIL_URL", "STRIPE_SECRET_KEY"),
    *("STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET"),
}
ID_OF = {variable.name: f"billing.{variable.id}" for variable in VARIABLES}


@pytest.fixture
def right(settings: Settings) -> Settings:
    """Settings of a production that has everything."""
    for name, value in RIGHT.items():
        setattr(settings, name, value)
    return settings


def failing_ids() -> list[str | None]:
    return [message.id for message in [*check_variables(), *check_combinations()]]


def test_right_configuration_passes(right: Settings) -> None:
    assert failing_ids() == []


def test_tests_own_configuration_passes() -> None:
    assert failing_ids() == []


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in MALFORMED.items() for value in values])
def test_malformed_value_is_refused_by_the_variables_own_check(right: Settings, name: str, value: Any) -> None:
    setattr(right, name, value)

    assert ID_OF[name] in failing_ids()


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.id)
def test_variable_that_could_not_be_read_is_named_with_its_shape(right: Settings, variable: Any) -> None:
    right.MALFORMED_VARIABLES = frozenset({variable.name})

    [message] = check_variables()

    assert message.id == f"billing.{variable.id}"
    assert message.msg == f"{variable.name} is malformed. It should look like this: {variable.shape}."


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_missing_variable_is_named_with_its_shape_in_production(right: Settings, name: str) -> None:
    missing = {"SECRET_KEY": "django-insecure-because-SECRET_KEY-is-missing"}
    setattr(right, name, missing.get(name, type(RIGHT[name])()))

    [message] = check_variables()

    assert message.id == ID_OF[name]
    assert message.msg.startswith(f"{name} is missing. It should look like this: ")


def test_stripes_keys_may_be_missing_where_nothing_is_sold(right: Settings) -> None:
    right.STRIPE_BILLING_ENABLED = False
    right.STRIPE_SECRET_KEY, right.STRIPE_PUBLISHABLE_KEY, right.STRIPE_WEBHOOK_SECRET = "", "", []

    assert failing_ids() == []


@pytest.mark.parametrize(
    ("id_", "change"),
    [
        ("E040", {"STRIPE_PUBLISHABLE_KEY": "pk_test_abc"}),
        ("E040", {"STRIPE_SECRET_KEY": "rk_test_abc"}),
        ("E041", {"IS_PRODUCTION": False, "DEBUG": True}),
        ("E042", {"STRIPE_SECRET_KEY": "sk_test_abc", "STRIPE_PUBLISHABLE_KEY": "pk_test_abc"}),
        ("E043", {"STRIPE_API_BASE": "http://api.stripe.com"}),
        ("E043", {"STRIPE_API_BASE": "https://127.0.0.1:8010"}),
        ("E043", {"STRIPE_JS_URL": "http://localhost:8010/stripe.js"}),
        ("E044", {"STRIPE_API_BASE": "https://stripe.example.com"}),
        ("E044", {"IS_PRODUCTION": False, "STRIPE_API_BASE": "http://127.0.0.1:8010"}),
        ("E045", {"DEBUG": True}),
        ("E046", {"GOOGLE_CLIENT_SECRET": ""}),
        ("E047", {"STRIPE_JS_URL": "https://scripts.example.com/stripe.js"}),
        ("E047", {"STRIPE_JS_URL": "https://js.stripe.com.example.com/stripe.js"}),
        ("E046", {"GOOGLE_CLIENT_ID": ""}),
    ],
)
def test_combination_is_refused(right: Settings, id_: str, change: dict[str, Any]) -> None:
    for name, value in change.items():
        setattr(right, name, value)

    assert f"billing.{id_}" in failing_ids()


def test_test_keys_and_debug_are_fine_outside_production(right: Settings) -> None:
    right.IS_PRODUCTION, right.DEBUG, right.STRIPE_API_BASE = False, True, "http://127.0.0.1:8010"
    right.STRIPE_SECRET_KEY, right.STRIPE_PUBLISHABLE_KEY = "sk_test_abc", "pk_test_abc"

    assert failing_ids() == []


def test_message_never_shows_the_value(right: Settings) -> None:
    right.STRIPE_SECRET_KEY = "sk_live_canary with a blank"

    assert not any("canary" in message.msg for message in check_variables())


def test_every_id_is_documented_and_unique() -> None:
    documented = re.findall(r"billing\.E\d{3}", Path(configured.BASE_DIR, "docs/configuration.md").read_text())

    assert set(ID_OF.values()) < set(documented)
    assert len(documented) == len(set(documented))
