"""How reads hold up as a ledger grows: numbers of queries, and the time of pages."""

import statistics
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import database

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User

SMALL, LARGE = 10_000, 1_000_000
REPEATS = 40

# Rows as the ledger would have left them, one a minute: a million of them are 23 months.
_FILL = """
    INSERT INTO billing_ledgerentry (customer_id, sequence, kind, amount, balance_after, idempotency_key, request_hash,
        description, occurred_at, created_at, is_late, source_type, source_id)
    SELECT %(customer)s::bigint, n, 'usage', -0.5, %(start)s::numeric - n * 0.5, 'api:fill-' || n, '', 'Completion',
        now() - make_interval(mins => %(count)s::int - n::int), now() - make_interval(mins => %(count)s::int - n::int),
        false, '', ''
    FROM generate_series(%(from)s::bigint, %(count)s::bigint) AS n
"""


@dataclass(frozen=True)
class PageTime:
    """Median milliseconds and number of queries of one page for a short and for a long ledger."""

    page: str
    small_milliseconds: float
    large_milliseconds: float
    small_queries: int
    large_queries: int

    @property
    def ratio(self) -> float:
        return self.large_milliseconds / self.small_milliseconds


def measure() -> list[PageTime]:
    """The balance read and the pages of a customer with 10,000 entries and of one with 1,000,000, in turn."""
    from django.test import Client

    clients = {}
    for count in (SMALL, LARGE):
        client = Client(SERVER_NAME="127.0.0.1")
        client.force_login(_customer_with(count))
        clients[count] = client
    with_page = [("/billing/", "overview"), ("/billing/ledger/", "ledger"), ("/billing/buy/", "buy")]
    return [_time_page(page=name, path=path, clients=clients) for path, name in with_page]


def _customer_with(count: int) -> "User":
    from django.db import connection

    from accounts.models import User
    from billing.credits import add_credits
    from billing.services.customers import ensure_customer

    user = User.objects.create_user(f"reader{count}@example.com", "a long enough password")
    customer = ensure_customer(user=user)
    add_credits(user, 5_000_000, kind="promotion", idempotency_key="fill", description="Seed")
    with connection.cursor() as cursor:
        parameters = {"customer": customer.pk, "count": count, "start": 5_000_000, "from": 2}
        cursor.execute(_FILL, parameters)
        cursor.execute(
            "UPDATE billing_creditbalance SET last_sequence = %s, posted = %s WHERE customer_id = %s",
            [count, 5_000_000 - count * 0.5, customer.pk],
        )
        cursor.execute("ANALYZE billing_ledgerentry")
    return user


def _time_page(*, page: str, path: str, clients: "dict[int, Client]") -> PageTime:
    times: dict[int, list[float]] = {count: [] for count in clients}
    queries: dict[int, int] = {}
    for number in range(REPEATS + 5):
        for count, client in clients.items():
            start = time.perf_counter()
            response = client.get(path)
            elapsed = (time.perf_counter() - start) * 1000
            if response.status_code != 200:
                raise RuntimeError(f"{path} answered {response.status_code}.")
            if number >= 5:  # the first ones warm caches
                times[count].append(elapsed)
    for count, client in clients.items():
        queries[count] = database.count_queries(partial(client.get, path))
    return PageTime(
        page, statistics.median(times[SMALL]), statistics.median(times[LARGE]), queries[SMALL], queries[LARGE]
    )
