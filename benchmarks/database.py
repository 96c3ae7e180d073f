"""A database of its own for the benchmarks, and a ledger with a past in it."""

import os
from collections.abc import Callable
from decimal import Decimal

import django
import psycopg
from psycopg.conninfo import make_conninfo

NAME = "prepaid_bench"
CUSTOMERS = 1_000
ENTRIES_BEFORE = 50_000
BATCH = 1_000


def connect_django() -> None:
    """Set Django up in this process against the benchmarks' database."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    os.environ["LOG_LEVEL"] = "ERROR"
    django.setup()
    from django.db import connections

    connections.databases["default"]["NAME"] = NAME


def server_arguments() -> dict[str, str]:
    """How libpq reaches the server: for psycopg and for pgbench."""
    from django.db import connection

    settings = connection.settings_dict
    arguments = {"host": settings["HOST"], "user": settings["USER"], "dbname": NAME}
    if settings["PORT"]:
        arguments["port"] = str(settings["PORT"])
    if settings["PASSWORD"]:
        arguments["password"] = settings["PASSWORD"]
    return {name: value for name, value in arguments.items() if value}


def recreate() -> None:
    """Make the database anew and migrate it."""
    from django.core.management import call_command
    from django.db import connections

    connections.close_all()
    arguments = {**server_arguments(), "dbname": "postgres"}
    with psycopg.connect(make_conninfo(**arguments), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {NAME}")
    call_command("migrate", verbosity=0)


def seed(*, customers: int = CUSTOMERS, entries: int = ENTRIES_BEFORE) -> list[int]:
    """Customers with users, one large grant each, and `entries` debits before."""
    from django.db import connection

    from accounts.models import User
    from billing.kinds import EntryKind
    from billing.models import BillingCustomer, CreditBalance
    from billing.services.posting import Posting, post_many

    users = User.objects.bulk_create([User(email=f"user{n}@example.com", password="!") for n in range(customers)])
    rows = BillingCustomer.objects.bulk_create([BillingCustomer(user=user) for user in users])
    CreditBalance.objects.bulk_create([CreditBalance(customer=row) for row in rows])
    ids = [row.pk for row in rows]
    post_many(
        postings=[
            Posting(
                customer_id=id_,
                kind=EntryKind.ADJUSTMENT,
                amount=Decimal(5_000_000),
                key="grant:seed",
                description="Seed",
            )
            for id_ in ids
        ]
    )
    for start in range(0, entries, BATCH):
        post_many(
            postings=[
                Posting(
                    customer_id=ids[n % customers], kind=EntryKind.USAGE, amount=Decimal("-0.25"), key=f"api:seed-{n}"
                )
                for n in range(start, min(start + BATCH, entries))
            ]
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return ids


def count_queries(work: Callable[[], object]) -> int:
    """How many statements `work` sends."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def url() -> str:
    """The database's address for other processes."""
    arguments = server_arguments()
    return f"postgresql://{arguments['user']}@/{arguments['host']}/{NAME}"
