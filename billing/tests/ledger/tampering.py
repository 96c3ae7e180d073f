"""Ways to tamper with a customer's books, each with the check that must find it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from accounts.models import User
from billing.kinds import EntryKind
from billing.models import (
    Adjustment,
    BillingCustomer,
    CreditHold,
    LedgerEntry,
    Payment,
    PlanPeriod,
    VoucherBatch,
    VoucherCode,
    VoucherRedemption,
)
from billing.services.holds import place_hold, settle_hold
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import buy, claw_back, give, post_one, reinstate, use
from billing.tests.plan_world import invoice, line, make_plan, tell


@dataclass
class Books:
    """A customer with some of everything: credits used, covered, given back, moved, held and owed."""

    customer: BillingCustomer
    other: BillingCustomer
    payment: Payment
    used: LedgerEntry
    correction: LedgerEntry
    free: LedgerEntry
    debt: LedgerEntry
    open_hold: CreditHold
    settled_hold: CreditHold

    def settlement(self) -> LedgerEntry:
        return LedgerEntry.objects.get(hold=self.settled_hold)


def make_books() -> Books:
    """Two customers; the first has been through everything."""
    customer, other = make_customer(), make_customer()
    give(other, 5)
    payment = buy(customer, 10)
    used = use(customer, 10)
    claw_back(payment, 10)
    give(customer, 10)
    correction = post_one(customer, EntryKind.USAGE_CORRECTION, 6, corrects_id=used.pk, description="Not delivered")
    free = give(customer, 20, expires_at=timezone.now() + timedelta(days=3))
    settled = place_hold(customer_id=customer.pk, amount=2, key="api:settled")
    settle_hold(hold=settled.public_id, amount=1)
    still_open = place_hold(customer_id=customer.pk, amount=3, key="api:open")
    debt = _take_by_adjustment(customer, 40)
    return Books(customer, other, payment, used, correction, free, debt, still_open, settled)


def _take_by_adjustment(customer: BillingCustomer, credits: int) -> LedgerEntry:
    """A debit of staff, with the row that says who wanted it."""
    adjustment = Adjustment(customer=customer, amount=-credits, reason_code="correction", note="Mistake", form_key="x")
    entry = post_one(
        customer,
        EntryKind.ADJUSTMENT,
        -credits,
        key=f"staff:{adjustment.public_id}",
        description="Mistake",
        may_leave_debt=True,
    )
    adjustment.requested_by = User.objects.create(email="staff@example.com")
    adjustment.requested_at, adjustment.needs_approval, adjustment.entry = timezone.now(), False, entry
    adjustment.save()
    return entry


@contextmanager
def triggers_off() -> Iterator[None]:
    """As somebody with the database's password would do it."""
    tables = ("billing_ledgerentry", "billing_grantallocation")
    run("SET CONSTRAINTS ALL IMMEDIATE")  # no trigger may wait while a table is altered
    for table in tables:
        run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    try:
        yield
    finally:
        run("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            run(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def run(statement: str, *parameters: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(parameters))


def set_balance(books: Books, assignment: str) -> None:
    statement = f"UPDATE billing_creditbalance SET {assignment} WHERE customer_id = %s"  # noqa: S608  # our texts only
    run(statement, books.customer.pk)


def set_entry(entry: LedgerEntry, assignment: str) -> LedgerEntry:
    statement = f"UPDATE billing_ledgerentry SET {assignment} WHERE id = %s"  # noqa: S608  # our texts only
    run(statement, entry.pk)
    return entry


Tampering = Callable[[Books], LedgerEntry | None]
"""Breaks a check; gives the entry that it must name, where it can name one."""


def _lose_the_balance(books: Books) -> None:
    books.customer = BillingCustomer.objects.create()


def _raise_posted(books: Books) -> None:
    set_balance(books, "posted = posted + 1")


def _shift_a_sequence(books: Books) -> LedgerEntry:
    return set_entry(books.debt, "sequence = sequence + 5")


def _shift_last_sequence(books: Books) -> None:
    set_balance(books, "last_sequence = last_sequence + 1")


def _change_a_balance_after(books: Books) -> LedgerEntry:
    return set_entry(books.used, "balance_after = balance_after + 1")


def _raise_posted_above_the_last_entry(books: Books) -> LedgerEntry:
    set_balance(books, "posted = posted + 1")
    return books.debt


def _raise_held(books: Books) -> None:
    set_balance(books, "held = held + 1")


def _raise_remaining(books: Books) -> LedgerEntry:
    run("UPDATE billing_creditgrant SET remaining = 1, is_open = true WHERE entry_id = %s", books.free.pk)
    return books.free


def _lower_an_uncovered_part(books: Books) -> LedgerEntry:
    run("UPDATE billing_uncoveredpart SET amount = amount - 1 WHERE entry_id = %s", books.debt.pk)
    return books.debt


def _lose_a_return(books: Books) -> LedgerEntry:
    run("DELETE FROM billing_grantallocation WHERE cause_id = %s AND kind = 'return'", books.correction.pk)
    return books.correction


def _lose_half_a_move(books: Books) -> LedgerEntry:
    run("DELETE FROM billing_grantallocation WHERE kind = 'move' AND amount > 0")
    return LedgerEntry.objects.get(customer=books.customer, kind=EntryKind.REFUND)


def _return_to_a_grant_that_never_paid(books: Books) -> LedgerEntry:
    run(
        "UPDATE billing_grantallocation SET grant_id = (SELECT id FROM billing_creditgrant WHERE entry_id = %s) "
        "WHERE cause_id = %s AND kind = 'return'",
        books.free.pk,
        books.correction.pk,
    )
    return books.used


def _draw_on_anothers_grant(books: Books) -> LedgerEntry:
    run(
        "UPDATE billing_grantallocation SET grant_id = (SELECT id FROM billing_creditgrant WHERE customer_id = %s) "
        "WHERE entry_id = %s",
        books.other.pk,
        books.settlement().pk,
    )
    return books.settlement()


def _open_a_grant_beside_the_debt(books: Books) -> None:
    run("UPDATE billing_creditgrant SET remaining = 1, is_open = true WHERE entry_id = %s", books.free.pk)
    run("UPDATE billing_uncoveredpart SET amount = amount + 1 WHERE entry_id = %s", books.debt.pk)


def _uncover_more_than_was_taken(books: Books) -> LedgerEntry:
    run("UPDATE billing_uncoveredpart SET amount = 41 WHERE entry_id = %s", books.debt.pk)
    return books.debt


def _forget_the_next_expiry(books: Books) -> None:
    set_balance(books, "next_expiry_at = now()")


def _change_a_grants_kind(books: Books) -> LedgerEntry:
    run("UPDATE billing_creditgrant SET kind = 'purchase' WHERE entry_id = %s", books.free.pk)
    return books.free


def _take_the_payment_from_a_purchase(books: Books) -> LedgerEntry:
    entry = LedgerEntry.objects.get(customer=books.customer, kind=EntryKind.PURCHASE)
    return set_entry(entry, "payment_id = NULL")


def _change_a_settled_amount(books: Books) -> LedgerEntry:
    run("UPDATE billing_credithold SET settled_amount = 2 WHERE id = %s", books.settled_hold.pk)
    return books.settlement()


def _change_the_key_of_a_settlement(books: Books) -> LedgerEntry:
    return set_entry(books.settlement(), "idempotency_key = 'api:else'")


def _forget_that_a_payment_was_paid(books: Books) -> LedgerEntry:
    reinstate(books.payment, 3)
    run("UPDATE billing_payment SET paid_at = NULL WHERE id = %s", books.payment.pk)
    return LedgerEntry.objects.get(customer=books.customer, kind=EntryKind.REFUND_REVERSAL)


def _undo_what_was_granted(books: Books) -> None:
    run("UPDATE billing_payment SET posting_count = 0, given_back_minor = 0 WHERE id = %s", books.payment.pk)


def _forget_what_was_refunded(books: Books) -> None:
    run(
        "UPDATE billing_payment SET refunded_minor = refunded_minor - 1000000, "
        "given_back_minor = given_back_minor - 1000000 WHERE id = %s",
        books.payment.pk,
    )


def _let_a_refund_die(books: Books) -> None:
    run("UPDATE billing_paymentrefund SET is_dead = true, dead_at = now() WHERE payment_id = %s", books.payment.pk)


def _count_a_movement_too_many(books: Books) -> None:
    run("UPDATE billing_payment SET movement_count = movement_count + 1 WHERE id = %s", books.payment.pk)


def _take_back_a_write_off_that_was_none(books: Books) -> LedgerEntry:
    run("UPDATE billing_ledgerentry SET payment_id = %s WHERE id = %s", books.payment.pk, books.used.pk)
    return set_entry(books.used, "kind = 'write_off'")


def _change_an_adjustment(books: Books) -> LedgerEntry:
    run("UPDATE billing_adjustment SET amount = amount - 1 WHERE entry_id = %s", books.debt.pk)
    return books.debt


def _raise_what_a_voucher_brings(books: Books) -> LedgerEntry:
    _redeem_a_voucher(books, credits=books.free.amount + 1, uses_left=0)
    return books.free


def _give_a_voucher_a_use_back(books: Books) -> LedgerEntry:
    _redeem_a_voucher(books, credits=books.free.amount, uses_left=1)
    return books.free


def _redeem_a_voucher(books: Books, *, credits: Decimal, uses_left: int) -> None:
    """Let the free credits have come from a voucher with one use."""
    redemption = VoucherRedemption(customer=books.customer, number=1, request_key="x", redeemed_at=timezone.now())
    set_entry(books.free, f"kind = 'voucher', idempotency_key = 'voucher:{redemption.public_id}'")
    batch = VoucherBatch.objects.create(
        name="Fair",
        credits=credits,
        code_count=1,
        total_credits=credits,
        valid_from=timezone.now(),
        form_key="x",
        requested_by=User.objects.create_user("issuer@example.com"),
        requested_at=timezone.now(),
        reason_code="promotion",
        note="For the fair",
        needs_approval=False,
    )
    redemption.code = VoucherCode.objects.create(batch=batch, code_hash="x", last_four="XXXX", uses_left=uses_left)
    redemption.entry = books.free
    redemption.save()


def _freeze_without_a_flag(books: Books) -> None:
    set_balance(books, "frozen_at = now()")


def _ask_for_top_ups_without_consent(books: Books) -> None:
    set_balance(books, "top_up_below = 5")


TAMPERINGS: dict[str, Tampering] = {
    "customer_has_a_balance": _lose_the_balance,
    "posted_is_the_sum_of_entries": _raise_posted,
    "sequence_has_no_gap": _shift_a_sequence,
    "last_sequence_is_the_last": _shift_last_sequence,
    "balance_after_follows_the_amounts": _change_a_balance_after,
    "posted_is_the_last_balance_after": _raise_posted_above_the_last_entry,
    "held_is_the_sum_of_open_holds": _raise_held,
    "remaining_is_what_was_not_drawn": _raise_remaining,
    "outgoing_is_allocated_uncovered_or_returned": _lower_an_uncovered_part,
    "returned_is_undone": _lose_a_return,
    "moves_keep_the_sum": _lose_half_a_move,
    "no_entry_gave_back_more_than_it_drew": _return_to_a_grant_that_never_paid,
    "allocations_stay_with_their_customer": _draw_on_anothers_grant,
    "posted_is_remaining_less_uncovered": _open_a_grant_beside_the_debt,
    "uncovered_parts_are_of_outgoing_entries": _uncover_more_than_was_taken,
    "next_expiry_is_the_soonest": _forget_the_next_expiry,
    "grants_come_from_their_entries": _change_a_grants_kind,
    "entries_have_a_reason": _take_the_payment_from_a_purchase,
    "settled_holds_were_charged_once": _change_a_settled_amount,
    "hold_entries_have_their_key": _change_the_key_of_a_settlement,
    "payments_are_within_bounds": _forget_that_a_payment_was_paid,
    "paid_payments_are_granted": _undo_what_was_granted,
    "payments_keep_what_is_still_paid_for": _forget_what_was_refunded,
    "given_back_is_what_its_parts_say": _let_a_refund_die,
    "money_movements_end_at_the_payment": _count_a_movement_too_many,
    "write_offs_taken_back_were_made": _take_back_a_write_off_that_was_none,
    "adjustments_have_their_entry": _change_an_adjustment,
    "vouchers_bring_what_they_say": _raise_what_a_voucher_brings,
    "vouchers_are_used_as_often_as_they_say": _give_a_voucher_a_use_back,
    "frozen_while_a_flag_freezes": _freeze_without_a_flag,
    "top_up_is_asked_for_while_it_is_on": _ask_for_top_ups_without_consent,
    "plan_periods_hold_what_their_lines_allow": lambda books: _count_an_allowance_too_many(books),
    "plan_targets_are_what_paid_lines_say": lambda books: _make_a_line_cheaper(books),
    "plan_movements_end_at_the_period": lambda books: _forget_the_money_of_a_period(books),
}


def _allowance(books: Books) -> PlanPeriod:
    """The period of a plan that the customer has paid."""
    books.customer.stripe_customer_id = "cus_tampered"
    books.customer.save()
    make_plan("tampered")
    now = timezone.now()
    tell(invoice(books.customer, [line(1900, "tampered", span=(now, now + timedelta(days=30)))]))
    return PlanPeriod.objects.get(customer=books.customer)


def _count_an_allowance_too_many(books: Books) -> None:
    period = _allowance(books)
    run("UPDATE billing_planperiod SET posting_count = posting_count + 1 WHERE id = %s", period.pk)


def _make_a_line_cheaper(books: Books) -> None:
    period = _allowance(books)
    run("UPDATE billing_invoiceline SET unit_credits = unit_credits / 2 WHERE period_id = %s", period.pk)


def _forget_the_money_of_a_period(books: Books) -> None:
    period = _allowance(books)
    run("UPDATE billing_planperiod SET movement_count = 0 WHERE id = %s", period.pk)


def _count_an_entry_too_many(books: Books) -> None:
    run("UPDATE billing_payment SET posting_count = posting_count + 1 WHERE id = %s", books.payment.pk)


def _sell_fewer_credits_than_were_posted(books: Books) -> LedgerEntry:
    reinstate(books.payment, 3)
    run("UPDATE billing_payment SET credits = 2 WHERE id = %s", books.payment.pk)
    return LedgerEntry.objects.get(customer=books.customer, kind=EntryKind.REFUND_REVERSAL)


def _clear_the_reason_of_an_adjustment(books: Books) -> LedgerEntry:
    return set_entry(books.debt, "description = ''")


def _clear_what_a_correction_corrects(books: Books) -> LedgerEntry:
    return set_entry(books.correction, "description = '', corrects_id = NULL")


def _call_usage_an_expiry_that_took_nothing(books: Books) -> LedgerEntry:
    run("DELETE FROM billing_grantallocation WHERE entry_id = %s", books.used.pk)
    return set_entry(books.used, "kind = 'expiry'")


def _call_usage_a_gift(books: Books) -> LedgerEntry:
    """Credits that came in without a grant."""
    return set_entry(books.used, "kind = 'promotion', amount = 10")


def _give_an_entry_of_usage_a_grant(books: Books) -> LedgerEntry:
    run("UPDATE billing_creditgrant SET entry_id = %s WHERE entry_id = %s", books.used.pk, books.free.pk)
    return books.used


def _take_the_payment_from_a_grant(books: Books) -> LedgerEntry:
    run("UPDATE billing_creditgrant SET payment_id = NULL WHERE payment_id = %s", books.payment.pk)
    return LedgerEntry.objects.get(customer=books.customer, kind=EntryKind.PURCHASE)


def _settle_without_an_entry(books: Books) -> None:
    run(
        "UPDATE billing_credithold SET state = 'settled', settled_amount = 5, ended_at = now() WHERE id = %s",
        books.open_hold.pk,
    )


OTHER_TAMPERINGS: list[tuple[str, Tampering]] = [
    ("payments_are_within_bounds", _count_an_entry_too_many),
    ("payments_are_within_bounds", _sell_fewer_credits_than_were_posted),
    ("entries_have_a_reason", _clear_the_reason_of_an_adjustment),
    ("entries_have_a_reason", _clear_what_a_correction_corrects),
    ("entries_have_a_reason", _call_usage_an_expiry_that_took_nothing),
    ("grants_come_from_their_entries", _call_usage_a_gift),
    ("grants_come_from_their_entries", _give_an_entry_of_usage_a_grant),
    ("grants_come_from_their_entries", _take_the_payment_from_a_grant),
    ("settled_holds_were_charged_once", _settle_without_an_entry),
]
"""More ways to break a check that has several conditions."""
