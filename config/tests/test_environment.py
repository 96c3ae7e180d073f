"""Variables: read by type, malformed ones remembered, all of them documented."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings

from billing.checks import VARIABLES
from config.environment import Environment, celery_broker
from config.settings import base

# DESIGN's list of the public contract; a variable may be added, none may go.
CONTRACT = """
    DJANGO_SETTINGS_MODULE SECRET_KEY DEBUG ALLOWED_HOSTS SITE_URL DATABASE_URL REDIS_URL STRIPE_SECRET_KEY
    STRIPE_PUBLISHABLE_KEY STRIPE_WEBHOOK_SECRET STRIPE_API_BASE STRIPE_JS_URL STRIPE_BILLING_ENABLED LLM_BASE_URL
    LLM_API_KEY CREDITS_PER_USD SIGNUP_BONUS_CREDITS FREE_PLAN_CREDITS CHECKOUT_SESSIONS_PER_MINUTE FREEZE_ON_DISPUTE
    LOW_BALANCE_THRESHOLD FINANCE_EMAILS STRIPE_BILLING_COHORT STRIPE_AUTOMATIC_TAX STRIPE_CONFORMANCE_KEY
    DISPUTE_TAKES_BACK_ON EMAIL_URL DEFAULT_FROM_EMAIL GOOGLE_CLIENT_ID GOOGLE_CLIENT_SECRET LOG_FORMAT
""".split()
READ_BY_DJANGO_ITSELF = {"DJANGO_SETTINGS_MODULE"}
CHECKED_BY_USAGE = {"SUMMARY_MODEL", "SUMMARY_REPOSITORIES"}


def read(variables: Mapping[str, str]) -> Environment:
    return Environment(variables)


def test_every_variable_of_the_contract_is_listed_read_and_checked() -> None:
    example = set(re.findall(r"^#(\w+)=", Path(settings.BASE_DIR, ".env.example").read_text(), re.MULTILINE))

    assert set(CONTRACT) <= example
    assert example - READ_BY_DJANGO_ITSELF == base.env.names
    assert {variable.name for variable in VARIABLES} == base.env.names - CHECKED_BY_USAGE


def test_every_variable_in_the_example_has_a_comment() -> None:
    lines = Path(settings.BASE_DIR, ".env.example").read_text().splitlines()

    for before, line in pairwise(lines):
        if re.match(r"#\w+=", line):
            assert before.startswith("# "), line


def test_variables_are_read_by_type() -> None:
    env = read({"FLAG": "Yes", "NUMBER": " 7 ", "WORDS": "a, b,,c", "TEXT": "$tart"})

    assert env.flag("FLAG", default=False) is True
    assert env.integer("NUMBER", default=1) == 7
    assert env.words("WORDS") == ["a", "b", "c"]
    assert env.text("TEXT") == "$tart"
    assert env.malformed == set()


def test_blank_variable_counts_as_not_given() -> None:
    env = read({"NUMBER": " "})

    assert env.integer("NUMBER", default=3) == 3
    assert not env.is_given("OTHER", "NUMBER_TOO")


@pytest.mark.parametrize(
    ("kind", "raw"), [("flag", "maybe"), ("flag", "2"), ("integer", "1.5"), ("integer", "1k"), ("integer", "0x10")]
)
def test_malformed_variable_gives_its_default_and_is_remembered(kind: str, raw: str) -> None:
    env = read({"NAME": raw})

    assert getattr(env, kind)("NAME", default=0) == 0
    assert env.malformed == {"NAME"}


@pytest.mark.parametrize(
    "url", ["mysql://host/name", "postgresql://host:5432/", "garbage", "postgresql://host:port/name"]
)
def test_malformed_database_address_gives_a_database_that_refuses(url: str) -> None:
    env = read({"DATABASE_URL": url})

    assert env.database("DATABASE_URL", default="postgresql://host/fallback")["ENGINE"] == "django.db.backends.dummy"
    assert env.malformed == {"DATABASE_URL"}


def test_database_address_keeps_its_own_options_beside_ours() -> None:
    entry = read({"DATABASE_URL": "postgresql://user:pw@host:5433/name?sslmode=require"}).database("DATABASE_URL")

    assert (entry["HOST"], entry["PORT"], entry["NAME"]) == ("host", 5433, "name")
    assert entry["OPTIONS"] == {"server_side_binding": True, "prepare_threshold": 1, "sslmode": "require"}


def test_socket_of_the_embedded_server_is_understood() -> None:
    entry = read({}).database("DATABASE_URL", default="postgresql://prepaid@//srv/run/prepaid")

    assert (entry["HOST"], entry["NAME"], entry["USER"]) == ("/srv/run", "prepaid", "prepaid")


def test_mail_address_is_read_and_a_malformed_one_remembered() -> None:
    env = read({"EMAIL_URL": "smtp+tls://user:pw@host:587", "OTHER": "carrier-pigeon://x"})

    assert env.email("EMAIL_URL")["EMAIL_USE_TLS"] is True
    assert env.email("OTHER") == {}
    assert env.malformed == {"OTHER"}


@pytest.mark.parametrize(
    ("redis_url", "broker"),
    [
        ("unix:///tmp/v.sock?db=1", "redis+socket:///tmp/v.sock?virtual_host=1"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("rediss://host/1", "rediss://host/1"),
    ],
)
def test_broker_is_spelled_as_celery_wants_it(redis_url: str, broker: str) -> None:
    assert celery_broker(redis_url) == broker
