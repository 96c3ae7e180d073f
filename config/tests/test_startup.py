"""Whole processes on a wrong and on a right configuration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "SECRET_KEY": "production-like-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ",
    "ALLOWED_HOSTS": "billing.example.com",
    "SITE_URL": "https://billing.example.com",
    "DATABASE_URL": "postgresql://prepaid:pw@db.example.com:5432/prepaid",
    "REDIS_URL": "redis://redis.example.com:6379/0",
    "EMAIL_URL": "smtp+tls://user:pw@mail.example.com:587",
    "STRIPE_SECRET_KEY": "sk_live_" + "a" * 24,
    "STRIPE_PUBLISHABLE_KEY": "pk_live_" + "a" * 24,
    "STRIPE_WEBHOOK_SECRET": "whsec_" + "a" * 24,
}
WRONG = {"DJANGO_SETTINGS_MODULE": "config.settings.local", "SITE_URL": "nonsense", "CREDITS_PER_USD": "a lot"}
PATIENCE_SECONDS = 60


def run(*arguments: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Python with these variables and none of the machine's Stripe or mail settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "PREPAID_VAR") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_deploy_check_is_clean_in_production_with_everything_given() -> None:
    result = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", variables=PRODUCTION)

    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout


@pytest.mark.parametrize("name", [name for name in PRODUCTION if name != "DJANGO_SETTINGS_MODULE"])
def test_production_names_each_missing_variable(name: str) -> None:
    variables = {key: value for key, value in PRODUCTION.items() if key != name}

    result = run("manage.py", "check", variables=variables)

    assert result.returncode == 1
    assert f"{name} is m" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "showmigrations"],
        ["-c", "import config.wsgi"],
        ["-m", "celery", "-A", "config", "worker", "-c", "1"],
        ["-m", "celery", "-A", "config", "beat", "-s", "FOLDER/schedule"],
        ["-m", "gunicorn", "--config", "config/gunicorn.py", "--bind", "127.0.0.1:0"],
    ],
    ids=["command", "wsgi", "worker", "beat", "gunicorn"],
)
def test_nothing_starts_on_a_wrong_configuration(command: list[str], tmp_path: Path) -> None:
    command = [part.replace("FOLDER", str(tmp_path)) for part in command]

    result = run(*command, variables={**WRONG, "BIND": "127.0.0.1:0"})

    assert result.returncode != 0
    assert "(billing.E004) SITE_URL is malformed" in result.stderr
    assert "(billing.E015) CREDITS_PER_USD is malformed" in result.stderr
    assert "Traceback" not in result.stderr


def test_production_guards_its_database_sessions_and_cookies() -> None:
    shown = "s.DATABASES['default']['OPTIONS']['options'], s.SESSION_COOKIE_NAME"
    code = f"from django.conf import settings as s; print({shown})"

    result = run("-c", code, variables=PRODUCTION)

    assert "lock_timeout=3s" in result.stdout
    assert "statement_timeout=10s" in result.stdout
    assert "idle_in_transaction_session_timeout=5s" in result.stdout
    assert "__Host-sessionid" in result.stdout
