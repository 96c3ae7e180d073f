"""The two probes."""

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import Settings

NOWHERE = "redis://127.0.0.1:1/0"


def test_livez_needs_no_database(client: Client) -> None:
    response = client.get("/livez")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
def test_readyz_is_ok_with_database_migrations_and_redis(client: Client) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {"database": "ok", "redis": "ok"}}


@pytest.mark.django_db
def test_readyz_stays_ok_without_redis_and_says_so(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = NOWHERE

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json()["checks"]["redis"].startswith("warning: ConnectionError")


@pytest.mark.django_db
def test_readyz_fails_while_a_migration_is_not_applied(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "failing: 1 migrations are not applied"


def test_readyz_fails_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(MigrationRecorder, "applied_migrations", fail)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "failing: DatabaseError"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probe_by_address_and_plain_http_is_answered(client: Client, settings: Settings, path: str) -> None:
    settings.ALLOWED_HOSTS = ["billing.example.com"]
    settings.SECURE_SSL_REDIRECT = True

    assert client.get(path, headers={"host": "10.1.2.3"}).status_code == 200
