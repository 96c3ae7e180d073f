"""Check the ledger: what the command and the schedule call."""

from collections.abc import Iterator, Sequence

from billing.ledger.verification import Finding, verify_ledger

__all__ = ["Finding", "find_ledger_faults"]


def find_ledger_faults(*, customer_ids: Sequence[int] | None = None) -> Iterator[Finding]:
    """Whatever in the ledger does not agree with its entries and allocations; of all customers or those given."""
    return verify_ledger(customer_ids=customer_ids)
