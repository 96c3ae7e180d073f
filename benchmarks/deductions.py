"""How fast `deduct_credits` is against pgbench, a C program that sends the very SQL that it sends."""

import multiprocessing
import random
import statistics
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier

from benchmarks import database, pgbench

PROCESSES = 4
SECONDS = 8
ROUNDS = 3

_start: list[Barrier] = []  # in a pool's worker: where all begin together


@dataclass(frozen=True)
class Ratio:
    """Medians over the rounds of one run, which alternate between the two."""

    ours_per_second: float
    pgbench_per_second: float

    @property
    def ratio(self) -> float:
        return self.ours_per_second / self.pgbench_per_second


def measure(*, seconds: int = SECONDS, rounds: int = ROUNDS) -> Ratio:
    """Deductions a second of 4 processes over 1,000 accounts, and pgbench's with 4 connections, in turn."""
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(_deductions_per_second(seconds=seconds, tag=f"run{number}"))
        theirs.append(pgbench.runs_per_second(script=pgbench_script(), clients=PROCESSES, seconds=seconds))
    return Ratio(statistics.median(ours), statistics.median(theirs))


def _deductions_per_second(*, seconds: int, tag: str) -> float:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, initializer=_join, initargs=(barrier,)) as pool:
        counts = pool.starmap(_deduct_for, [(seconds, f"{tag}-{worker}") for worker in range(PROCESSES)], chunksize=1)
    return sum(counts) / seconds


def _join(barrier: Barrier) -> None:
    _start.append(barrier)
    database.connect_django()


def _deduct_for(seconds: int, tag: str) -> int:
    from accounts.models import User
    from billing.credits import deduct_credits

    users = list(User.objects.select_related("billing_customer"))
    for number in range(50):
        deduct_credits(random.choice(users), "0.5", description="Warm-up", idempotency_key=f"{tag}-warm-{number}")
    _start[0].wait()
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        deduct_credits(random.choice(users), "0.5", description="Completion", idempotency_key=f"{tag}-{count}")
        count += 1
    return count


def pgbench_script() -> str:
    """One deduction as pgbench speaks: the three statements between BEGIN and COMMIT, parameters in the same places.

    What Python computes between the statements (the new balance and rest) is computed in the statement here.
    """
    from billing.ledger.locking import LOAD_ONE, LOCK_ONE
    from billing.ledger.writing_one_debit import WRITE_ONE_DEBIT

    load = LOAD_ONE.replace("%(customer)s", ":c").replace("%(key)s", "'bench-' || :k::text")
    load = load.replace("entry_id, NULL::text, NULL::text", "entry_id, NULL::text AS key, NULL::text AS hash")
    values = {
        "customer": ":c::bigint", "sequence": ":last_sequence::bigint + 1", "kind": "'usage'", "amount": "-0.5",
        "posted": ":posted::numeric - 0.5", "key": "'bench-' || :k::text", "request_hash": f"'{'0' * 64}'",
        "description": "'Completion'", "occurred_at": "now()", "now": "now()", "payment": "NULL", "hold": "NULL",
        "corrects": "NULL", "is_late": "false", "source_type": "''", "source_id": "''",
        "remaining": ":remaining::numeric - 0.5", "is_open": "true", "grant": ":id::bigint", "next_expiry_at": "NULL",
        "held": "0", "top_up_due_at": "NULL",
        "share": "0.5",
    }  # fmt: skip
    write = WRITE_ONE_DEBIT
    for name, value in values.items():
        write = write.replace(f"%({name})s", value)
    lines = [
        f"\\set c random(1, {database.CUSTOMERS})",
        "\\set k random(1, 1000000000000)",
        "BEGIN;",
        f"{pgbench.one_line(LOCK_ONE.replace('%s', ':c'))} \\gset",
        f"{pgbench.one_line(load)} \\gset",
        f"{pgbench.one_line(write)};",
        "COMMIT;",
    ]
    return "\n".join(lines) + "\n"
