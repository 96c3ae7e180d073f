"""How fast `post_many` is in batches of 100: over distinct accounts (4 processes), and on one hot account."""

import multiprocessing
import random
import statistics
import time
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.synchronize import Barrier

from benchmarks import database, pgbench

PROCESSES = 4
BATCH = 100
SECONDS = 6
ROUNDS = 3

_start: list[Barrier] = []  # in a pool's worker: where all begin together


@dataclass(frozen=True)
class BatchSpeed:
    """Postings a second; medians over the rounds of one run."""

    distinct: float
    pgbench_distinct: float
    hot_batched: float
    hot_single: float

    @property
    def distinct_ratio(self) -> float:
        return self.distinct / self.pgbench_distinct

    @property
    def hot_gain(self) -> float:
        return self.hot_batched / self.hot_single


def measure(*, seconds: int = SECONDS, rounds: int = ROUNDS) -> BatchSpeed:
    """Postings a second over distinct accounts, and on one account batched and one by one, in turn."""
    distinct, theirs, batched, single = [], [], [], []
    for number in range(rounds):
        distinct.append(_distinct_per_second(seconds=seconds, tag=f"batch{number}"))
        theirs.append(BATCH * pgbench.runs_per_second(script=pgbench_script(), clients=PROCESSES, seconds=seconds))
        batched.append(_hot_per_second(seconds=seconds // 2, size=BATCH, tag=f"hot{number}"))
        single.append(_hot_per_second(seconds=seconds // 2, size=1, tag=f"single{number}"))
    return BatchSpeed(*(statistics.median(rates) for rates in (distinct, theirs, batched, single)))


# What Python plans between load and write, computed by the database: half a credit from each account's one grant.
_PLAN = """
    SELECT json_agg(json_build_object('customer_id', b.customer_id, 'sequence', b.last_sequence + 1, 'kind', 'usage',
            'amount', -0.5, 'balance_after', b.posted - 0.5, 'key', 'bench-' || :k::text || '-' || b.customer_id,
            'request_hash', repeat('0', 64), 'description', 'Completion')) AS entries,
        json_agg(json_build_object('customer_id', b.customer_id, 'amount', 0.5, 'kind', 'draw',
            'sequence', b.last_sequence + 1, 'grant_id', g.id)) AS allocations,
        json_agg(json_build_object('id', g.id, 'remaining', g.remaining - 0.5)) AS grant_changes,
        json_agg(json_build_object('customer_id', b.customer_id, 'posted', b.posted - 0.5, 'held', 0,
            'last_sequence', b.last_sequence + 1)) AS balances
    FROM billing_creditbalance b JOIN billing_creditgrant g ON g.customer_id = b.customer_id AND g.is_open
    WHERE b.customer_id = ANY(ARRAY(SELECT generate_series(:c::bigint, :c::bigint + 99)))
"""


def pgbench_script() -> str:
    """A batch as pgbench speaks: lock, load and plan in one statement, and the very statement that writes."""
    from billing.ledger.locking import LOCK_MANY
    from billing.ledger.writing import statement_of

    accounts = "ARRAY(SELECT generate_series(:c::bigint, :c::bigint + 99))"
    lock = LOCK_MANY.replace("ANY(%s)", f"ANY({accounts})")
    parts = ("entries", "allocations", "grant_changes", "balances")
    write = statement_of(parts).replace("%(now)s", "now()")
    for part in parts:
        write = write.replace(f"%({part})s", f":{part}")
    quarter = database.CUSTOMERS // PROCESSES
    lines = [
        f"\\set c 1 + :client_id * {quarter} + random(0, {quarter - BATCH})",
        "\\set k random(1, 1000000000000)",
        "BEGIN;",
        f"{pgbench.one_line(lock)};",
        f"{pgbench.one_line(_PLAN)} \\gset",
        f"{pgbench.one_line(write)};",
        "COMMIT;",
    ]
    return "\n".join(lines) + "\n"


def _distinct_per_second(*, seconds: int, tag: str) -> float:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, initializer=_join, initargs=(barrier,)) as pool:
        arguments = [(seconds, BATCH, worker, f"{tag}-{worker}") for worker in range(PROCESSES)]
        counts = pool.starmap(_post_for, arguments, chunksize=1)
    return sum(counts) / seconds


def _hot_per_second(*, seconds: int, size: int, tag: str) -> float:
    from billing.models import CreditBalance

    customer_id = CreditBalance.objects.order_by("pk").values_list("pk", flat=True)[0]
    return _post(customer_ids=[customer_id] * size, size=size, seconds=seconds, tag=tag, is_hot=True) / seconds


def _join(barrier: Barrier) -> None:
    _start.append(barrier)
    database.connect_django()


def _post_for(seconds: int, size: int, worker: int, tag: str) -> int:
    from billing.models import CreditBalance

    customer_ids = list(CreditBalance.objects.order_by("pk").values_list("pk", flat=True))[worker::PROCESSES]
    _post(customer_ids=customer_ids, size=size, seconds=1, tag=f"{tag}-warm")
    _start[0].wait()
    return _post(customer_ids=customer_ids, size=size, seconds=seconds, tag=tag)


def _post(*, customer_ids: list[int], size: int, seconds: int, tag: str, is_hot: bool = False) -> int:
    from billing.kinds import EntryKind
    from billing.services.posting import Posting, post_many

    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        chosen = customer_ids if is_hot else random.sample(customer_ids, size)
        post_many(
            postings=[
                Posting(
                    customer_id=customer_id,
                    kind=EntryKind.USAGE,
                    amount=Decimal("-0.5"),
                    key=f"api:{tag}-{count + number}",
                    description="Completion",
                )
                for number, customer_id in enumerate(chosen)
            ]
        )
        count += size
    return count
