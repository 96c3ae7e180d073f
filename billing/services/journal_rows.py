"""Reads the rows that the books are made of, by short statements: a session may use only some seconds for each.

Rows are never changed and sequences have no gap, so windows of sequences fit together without a snapshot.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from django.db import connection

from billing.kinds import UNDONE_BY_MONEY
from billing.ledger.books_shapes import BookStep, MoneyRow
from billing.models import BillingCustomer, MoneyMovement, Payment, PlanMovement, PlanPeriod
from billing.services.journal_steps import Movement, step_of

ENTRIES_AT_ONCE = 2_000

_KINDS = ", ".join(f"'{kind.value}'" for kind in sorted(UNDONE_BY_MONEY))
# An entry with its grant and what it drew itself; what it caused on other entries comes from the statement below.
_ENTRIES = """
    SELECT e.customer_id, e.sequence, e.id, e.kind, e.amount, coalesce(-e.plan_period_id, e.payment_id),
        e.occurred_at, e.created_at, g.id, coalesce(-g.plan_period_id, g.payment_id), g.amount,
        a.entry_id, e.kind, coalesce(-e.plan_period_id, e.payment_id), a.grant_id, a.amount, a.kind
    FROM billing_ledgerentry e
    LEFT JOIN billing_creditgrant g ON g.entry_id = e.id
    LEFT JOIN billing_grantallocation a ON a.entry_id = e.id AND a.cause_id = e.id
    WHERE e.customer_id = ANY(%(customers)s) AND e.sequence > %(after)s AND e.sequence <= %(up_to)s
    ORDER BY e.customer_id, e.sequence, a.id
"""
# Only credits that come in cause rows on earlier entries, and only on such that were uncovered, that took money back,
# or that they correct: so allocations are found by the index on their entry. Kinds are spelled out as in their index.
_CAUSED = f"""
    SELECT a.cause_id, a.entry_id, drawn.kind, coalesce(-drawn.plan_period_id, drawn.payment_id), a.grant_id,
        a.amount, a.kind
    FROM billing_grantallocation a JOIN billing_ledgerentry drawn ON drawn.id = a.entry_id
    WHERE a.cause_id = ANY(%(causes)s) AND a.cause_id <> a.entry_id AND a.entry_id IN (
        SELECT entry_id FROM billing_uncoveredpart WHERE customer_id = ANY(%(customers)s)
        UNION SELECT id FROM billing_ledgerentry WHERE customer_id = ANY(%(customers)s) AND kind IN ({_KINDS})
        UNION SELECT corrects_id FROM billing_ledgerentry WHERE id = ANY(%(causes)s) AND corrects_id IS NOT NULL)
    ORDER BY a.id
"""  # noqa: S608  # constant texts only
_MOVEMENT_COLUMNS = (
    "payment__customer_id",
    "entry_id",
    "number",
    "currency",
    "collected_minor",
    "tax_minor",
    "given_back_minor",
    "from_balance_minor",
    "occurred_at",
    "created_at",
)


def read_steps(*, sizes: Mapping[int, int]) -> Iterator[tuple[int, Iterator[BookStep]]]:
    """Of each customer the steps of all entries up to a sequence, in order; customers by ascending id.

    Take all of one customer's steps, or leave the rest, before the next.
    """
    for group in _groups(sizes):
        if len(group) == 1:
            ((customer_id, last_sequence),) = group.items()
            windows = range(0, last_sequence, ENTRIES_AT_ONCE)
            yield (
                customer_id,
                (
                    step
                    for after in windows
                    for step in _read_window([customer_id], after, min(last_sequence, after + ENTRIES_AT_ONCE))
                ),
            )
            continue
        steps = _read_window(list(group), 0, max(group.values()))
        found = {customer_id: list(own) for customer_id, own in groupby(steps, key=lambda step: step.customer_id)}
        for customer_id, last_sequence in group.items():
            known = (step for step in found.get(customer_id, ()) if step.sequence <= last_sequence)
            yield customer_id, iter(list(known))


def read_movements(*, customer_ids: Sequence[int]) -> dict[int, list[Movement]]:
    """The movements of each customer, in the order in which they were written."""
    rows = MoneyMovement.objects.filter(payment__customer_id__in=customer_ids).order_by("created_at", "pk")
    found: dict[int, list[Movement]] = {customer_id: [] for customer_id in customer_ids}
    for row in rows.select_related("payment").only(*_MOVEMENT_COLUMNS):
        money = MoneyRow(
            payment_id=row.payment_id,
            currency=row.currency,
            collected_minor=row.collected_minor,
            tax_minor=row.tax_minor,
            given_back_minor=row.given_back_minor,
            from_balance_minor=row.from_balance_minor,
        )
        movement = Movement(
            entry_id=row.entry_id,
            number=row.number,
            money=money,
            occurred_at=row.occurred_at,
            created_at=row.created_at,
        )
        found[row.payment.customer_id].append(movement)
    for period_row in PlanMovement.objects.filter(period__customer_id__in=customer_ids).select_related("period"):
        found[period_row.period.customer_id].append(_plan_movement(period_row))
    for own in found.values():
        own.sort(key=lambda movement: movement.created_at)
    return found


def _plan_movement(row: PlanMovement) -> Movement:
    """A period of a plan is a lot of its own: the books tell it from payments by its negative id."""
    money = MoneyRow(
        payment_id=-row.period_id,
        currency=row.currency,
        collected_minor=row.collected_minor,
        tax_minor=row.tax_minor,
        given_back_minor=row.given_back_minor,
        from_balance_minor=row.from_balance_minor,
        kept=row.kept_credits,
    )
    return Movement(
        entry_id=row.entry_id,
        number=row.number,
        money=money,
        occurred_at=row.occurred_at,
        created_at=row.created_at,
    )


def read_names(*, customer_ids: Sequence[int]) -> tuple[dict[int, str], dict[int, dict[int, str]]]:
    """The public ids of customers, and of the payments and the plans' periods of each."""
    names = dict(BillingCustomer.objects.filter(pk__in=customer_ids).values_list("pk", "public_id"))
    payments: dict[int, dict[int, str]] = {customer_id: {} for customer_id in customer_ids}
    rows = Payment.objects.filter(customer_id__in=customer_ids).order_by()
    for customer_id, pk, public_id in rows.values_list("customer_id", "pk", "public_id"):
        payments[customer_id][pk] = public_id
    for period in PlanPeriod.objects.filter(customer_id__in=customer_ids).order_by():
        payments[period.customer_id][-period.pk] = f"{period.subscription_id}:{period.ends_at:%Y-%m-%d}"
    return names, payments


def _groups(sizes: Mapping[int, int]) -> Iterator[dict[int, int]]:
    """Customers that are read at once: together no more entries than a window, or one customer alone."""
    group: dict[int, int] = {}
    for customer_id, size in sorted(sizes.items()):
        if group and sum(group.values()) + size > ENTRIES_AT_ONCE:
            yield group
            group = {}
        group[customer_id] = size
    if group:
        yield group


def _read_window(customer_ids: list[int], after: int, up_to: int) -> Iterator[BookStep]:
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, {"customers": customer_ids, "after": after, "up_to": up_to})
        rows = cursor.fetchall()
        causes = list({row[2] for row in rows if row[4] > 0})
        caused: dict[int, list[tuple[Any, ...]]] = {}
        if causes:
            cursor.execute(_CAUSED, {"customers": customer_ids, "causes": causes})
            for cause_id, *row in cursor.fetchall():
                caused.setdefault(cause_id, []).append(tuple(row))
    for entry_id, group in groupby(rows, key=lambda row: row[2]):
        yield step_of(list(group), caused=caused.get(entry_id, ()))
