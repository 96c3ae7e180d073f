"""`make bench`: measure on a database of its own and print a table; ratios come from one run on one machine."""

import argparse
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import api, batches, checkout, database, deductions, endpoint, reads, reconciliation, webhooks

TABLE_START, TABLE_END = "<!-- table: start -->", "<!-- table: end -->"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"

Row = tuple[str, str, str, str]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=list(PARTS), action="append", help="only these parts")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    arguments = parser.parse_args()
    os.environ["DEBUG"] = "0"
    database.connect_django()
    rows: list[Row] = []
    for name in arguments.only or PARTS:
        print(f"{name}: preparing a ledger of {database.ENTRIES_BEFORE:,} entries ...", flush=True)
        database.recreate()
        database.seed()
        print(f"{name}: measuring ...", flush=True)
        rows += PARTS[name]()
    table = render(rows)
    print(table)
    if arguments.write:
        write_table(table)


def measure_deductions() -> list[Row]:
    result = deductions.measure()
    return [
        (
            "`deduct_credits`, 4 processes, 1,000 accounts",
            f"{result.ours_per_second:,.0f}/s",
            f"pgbench with the same SQL: {result.pgbench_per_second:,.0f}/s",
            f"{result.ratio:.2f} (at least 0.25)",
        )
    ]


def measure_batches() -> list[Row]:
    result = batches.measure()
    return [
        (
            "`post_many` of 100, distinct accounts, 4 processes",
            f"{result.distinct:,.0f} postings/s",
            f"pgbench with the same batches: {result.pgbench_distinct:,.0f}/s",
            f"{result.distinct_ratio:.2f} (at least 0.40, or 15,000/s)",
        ),
        (
            "`post_many` of 100, one hot account",
            f"{result.hot_batched:,.0f} postings/s",
            f"one by one: {result.hot_single:,.0f}/s",
            f"{result.hot_gain:.1f} (at least 10)",
        ),
    ]


def measure_reads() -> list[Row]:
    return [
        (
            f"{page.page} page, {reads.LARGE:,} entries",
            f"{page.large_milliseconds:.1f} ms, {page.large_queries} queries",
            f"{reads.SMALL:,} entries: {page.small_milliseconds:.1f} ms, {page.small_queries} queries",
            f"{page.ratio:.2f}" + (" (at most 1.5)" if page.page == "ledger" else ""),
        )
        for page in reads.measure()
    ]


def measure_webhooks() -> list[Row]:
    result = webhooks.measure()
    return [
        (
            f"Webhooks, {webhooks.PER_SECOND}/s for {webhooks.SECONDS} s",
            f"{result.answered_200} of {result.sent} answered 200, median {result.median_milliseconds:.0f} ms, "
            f"p99 {result.p99_milliseconds:.0f} ms (at most 100)",
            f"{result.credited} credited, the last {result.credited_after_seconds:.1f} s after the last answer",
            "(at most 10 s)",
        )
    ]


def measure_checkout() -> list[Row]:
    result = checkout.measure()
    return [
        (
            "Opening a checkout, without Stripe's share",
            f"{result.own_milliseconds:.1f} ms",
            f"with the stand-in: {result.total_milliseconds:.1f} ms",
            "",
        )
    ]


def measure_reconciliation() -> list[Row]:
    small, large = reconciliation.measure()
    return [
        (
            f"`reconcile_stripe`, {large.payments:,} payments, {large.findings:,} findings",
            f"{large.seconds:.1f} s, at most {large.peak_megabytes:.0f} MB",
            f"{small.payments:,} payments: {small.seconds:.1f} s, {small.peak_megabytes:.0f} MB",
            f"{large.seconds / small.seconds:.2f} (at most 4.8), memory "
            f"{large.peak_megabytes / small.peak_megabytes:.2f} (at most 1.2)",
        )
    ]


def measure_api() -> list[Row]:
    return [
        row
        for speed in api.measure()
        for row in (
            (
                f"`POST debits`, {speed.clients} clients",
                str(speed.debit),
                f"bare view: {speed.bare}",
                f"{speed.debit_ratio:.2f} (at least 0.50)",
            ),
            (
                f"`POST holds` and settle, {speed.clients} clients",
                str(speed.hold_and_settle),
                f"bare view: {speed.bare}",
                f"{speed.hold_ratio:.2f}",
            ),
        )
    ]


def measure_usage_events() -> list[Row]:
    return [
        (
            f"`POST usage-events` of {api.BATCH:,}, {api.BATCH_CLIENTS} clients",
            f"{api.measure_events():,.0f} events/s",
            "",
            "(at least 3,000/s)",
        )
    ]


def measure_endpoint() -> list[Row]:
    speed = endpoint.measure()
    return [
        (
            f"`/v1/chat/completions`, {endpoint.CLIENTS} clients, without the provider's time",
            f"{speed.through_us}",
            f"upstream directly: {speed.direct}",
            f"+{speed.p50_overhead_milliseconds:.0f} ms at p50, +{speed.p99_overhead_milliseconds:.0f} ms at p99 "
            "(at most 30 ms)",
        )
    ]


PARTS = {
    "deductions": measure_deductions,
    "batches": measure_batches,
    "reads": measure_reads,
    "webhooks": measure_webhooks,
    "checkout": measure_checkout,
    "reconciliation": measure_reconciliation,
    "api": measure_api,
    "usage-events": measure_usage_events,
    "endpoint": measure_endpoint,
}


def render(rows: list[Row]) -> str:
    """A Markdown table that also reads well on a terminal."""
    header: Row = ("what", "measured", "against", "ratio")
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(4)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]]
    lines.insert(1, " | ".join("-" * width for width in widths))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"Measured on {datetime.now(UTC):%Y-%m-%d} ({machine}).\n\n" + "\n".join(f"| {line} |" for line in lines)


def write_table(table: str) -> None:
    """Replace the table between the marks of docs/performance.md."""
    text = PAGE.read_text()
    before, rest = text.split(TABLE_START)
    _, after = rest.split(TABLE_END)
    PAGE.write_text(f"{before}{TABLE_START}\n{table}\n{TABLE_END}{after}")


if __name__ == "__main__":
    main()
