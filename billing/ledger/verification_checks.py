"""The checks of the ledger as queries: each gives (customer id, entry id, detail) of what breaks it.

Keep each check independent of the code that writes: it restates a rule, in SQL. `<customers:x>` stands for the
condition that the row's customer `x` is among those asked for.
"""

import re
from functools import cache

from billing.ledger.verification_plans import PLAN_CHECKS

CHECKS = {
    "customer_has_a_balance": """
        SELECT c.id, NULL, 'the customer has no balance row'
        FROM billing_billingcustomer c LEFT JOIN billing_creditbalance b ON b.customer_id = c.id
        WHERE b.customer_id IS NULL AND <customers:c.id>
    """,
    "posted_is_the_sum_of_entries": """
        SELECT b.customer_id, NULL, 'posted is ' || b.posted || ', entries add up to ' || coalesce(sum(e.amount), 0)
        FROM billing_creditbalance b LEFT JOIN billing_ledgerentry e ON e.customer_id = b.customer_id
        WHERE <customers:b.customer_id> GROUP BY b.customer_id HAVING b.posted <> coalesce(sum(e.amount), 0)
    """,
    "sequence_has_no_gap": """
        SELECT customer_id, id, 'sequence is ' || sequence || ', entry number ' || number || ' of the customer'
        FROM (SELECT e.id, e.customer_id, e.sequence,
                     row_number() OVER (PARTITION BY e.customer_id ORDER BY e.sequence) AS number
              FROM billing_ledgerentry e WHERE <customers:e.customer_id>) numbered
        WHERE sequence <> number
    """,
    "last_sequence_is_the_last": """
        SELECT b.customer_id, NULL, 'last_sequence is ' || b.last_sequence || ', entries end at '
            || coalesce(max(e.sequence), 0)
        FROM billing_creditbalance b LEFT JOIN billing_ledgerentry e ON e.customer_id = b.customer_id
        WHERE <customers:b.customer_id> GROUP BY b.customer_id HAVING b.last_sequence <> coalesce(max(e.sequence), 0)
    """,
    "balance_after_follows_the_amounts": """
        SELECT customer_id, id, 'balance_after is ' || balance_after || ', the entry before and the amount give ' || due
        FROM (SELECT e.id, e.customer_id, e.balance_after, e.amount + coalesce(
                  lag(e.balance_after) OVER (PARTITION BY e.customer_id ORDER BY e.sequence), 0) AS due
              FROM billing_ledgerentry e WHERE <customers:e.customer_id>) followed
        WHERE balance_after <> due
    """,
    "posted_is_the_last_balance_after": """
        SELECT b.customer_id, e.id, 'posted is ' || b.posted || ', the last entry leaves ' || e.balance_after
        FROM billing_creditbalance b
        JOIN billing_ledgerentry e ON e.customer_id = b.customer_id AND e.sequence = b.last_sequence
        WHERE <customers:b.customer_id> AND b.posted <> e.balance_after
    """,
    "held_is_the_sum_of_open_holds": """
        SELECT b.customer_id, NULL, 'held is ' || b.held || ', open holds add up to ' || coalesce(sum(h.amount), 0)
        FROM billing_creditbalance b
        LEFT JOIN billing_credithold h ON h.customer_id = b.customer_id AND h.state = 'open'
        WHERE <customers:b.customer_id> GROUP BY b.customer_id HAVING b.held <> coalesce(sum(h.amount), 0)
    """,
    "remaining_is_what_was_not_drawn": """
        SELECT g.customer_id, g.entry_id, 'grant ' || g.id || ' has ' || g.remaining || ' remaining, '
            || 'its allocations leave ' || g.amount - coalesce(sum(a.amount), 0)
        FROM billing_creditgrant g LEFT JOIN billing_grantallocation a ON a.grant_id = g.id
        WHERE <customers:g.customer_id> GROUP BY g.id HAVING g.remaining <> g.amount - coalesce(sum(a.amount), 0)
    """,
    "outgoing_is_allocated_uncovered_or_returned": """
        SELECT e.customer_id, e.id, 'the entry took ' || -e.amount || ', allocations and its uncovered part explain '
            || coalesce(u.amount, 0) + coalesce(a.explained, 0)
        FROM billing_ledgerentry e
        LEFT JOIN billing_uncoveredpart u ON u.entry_id = e.id
        CROSS JOIN LATERAL (
            SELECT sum(CASE WHEN grant_id IS NULL THEN 0 ELSE amount END)
                - sum(CASE WHEN kind IN ('return', 'write_off') THEN amount ELSE 0 END) AS explained
            FROM billing_grantallocation WHERE entry_id = e.id) a
        WHERE <customers:e.customer_id> AND e.amount < 0
            AND -e.amount <> coalesce(u.amount, 0) + coalesce(a.explained, 0)
    """,
    "returned_is_undone": """
        SELECT e.customer_id, e.id, 'the entry gave back ' || e.amount || ', it undid ' || coalesce(a.undone, 0)
        FROM billing_ledgerentry e
        LEFT JOIN (SELECT a.cause_id, -sum(a.amount) AS undone
                   FROM billing_ledgerentry e JOIN billing_grantallocation a ON a.entry_id = e.id
                   WHERE <customers:e.customer_id> AND e.amount < 0 AND a.kind IN ('return', 'write_off')
                   GROUP BY a.cause_id) a ON a.cause_id = e.id
        WHERE <customers:e.customer_id> AND e.amount > 0 AND (e.kind = ANY(%(returns)s) OR e.kind = 'write_off')
            AND e.amount <> coalesce(a.undone, 0)
    """,
    "moves_keep_the_sum": """
        SELECT e.customer_id, e.id, 'moves of entry ' || e.id || ' add up to ' || sum(a.amount)
        FROM billing_grantallocation a JOIN billing_ledgerentry e ON e.id = a.entry_id
        WHERE a.kind = 'move' AND <customers:e.customer_id> GROUP BY e.customer_id, e.id, a.cause_id
        HAVING sum(a.amount) <> 0
    """,
    "no_entry_gave_back_more_than_it_drew": """
        SELECT e.customer_id, e.id, 'entry ' || e.id || ' has ' || sum(a.amount) || ' of grant ' || a.grant_id
        FROM billing_grantallocation a JOIN billing_ledgerentry e ON e.id = a.entry_id
        WHERE a.grant_id IS NOT NULL AND <customers:e.customer_id> GROUP BY e.customer_id, e.id, a.grant_id
        HAVING sum(a.amount) < 0
    """,
    "allocations_stay_with_their_customer": """
        SELECT e.customer_id, e.id, 'allocation ' || a.id || ' joins rows of different customers'
        FROM billing_grantallocation a JOIN billing_ledgerentry e ON e.id = a.entry_id
        JOIN billing_ledgerentry c ON c.id = a.cause_id LEFT JOIN billing_creditgrant g ON g.id = a.grant_id
        WHERE <customers:e.customer_id> AND (c.customer_id <> e.customer_id OR g.customer_id <> e.customer_id)
    """,
    "posted_is_remaining_less_uncovered": """
        SELECT b.customer_id, NULL, 'posted is ' || b.posted || ', grants have ' || coalesce(g.remaining, 0)
            || ' remaining, ' || coalesce(u.uncovered, 0) || ' are uncovered'
        FROM billing_creditbalance b
        CROSS JOIN LATERAL (SELECT sum(remaining) AS remaining FROM billing_creditgrant
                            WHERE customer_id = b.customer_id AND is_open) g
        CROSS JOIN LATERAL (SELECT sum(amount) AS uncovered FROM billing_uncoveredpart
                            WHERE customer_id = b.customer_id AND is_open) u
        WHERE <customers:b.customer_id> AND (b.posted <> coalesce(g.remaining, 0) - coalesce(u.uncovered, 0)
            OR (coalesce(g.remaining, 0) > 0 AND coalesce(u.uncovered, 0) > 0))
    """,
    "uncovered_parts_are_of_outgoing_entries": """
        SELECT u.customer_id, u.entry_id, u.amount || ' uncovered of an entry of ' || e.amount
        FROM billing_uncoveredpart u JOIN billing_ledgerentry e ON e.id = u.entry_id
        WHERE <customers:u.customer_id> AND (e.customer_id <> u.customer_id OR u.amount > -e.amount)
    """,
    "next_expiry_is_the_soonest": """
        SELECT b.customer_id, NULL, 'next_expiry_at is ' || coalesce(b.next_expiry_at::text, 'empty')
            || ', the soonest open grant lapses ' || coalesce(min(g.expires_at)::text, 'never')
        FROM billing_creditbalance b LEFT JOIN billing_creditgrant g ON g.customer_id = b.customer_id AND g.is_open
        WHERE <customers:b.customer_id> GROUP BY b.customer_id
        HAVING b.next_expiry_at IS DISTINCT FROM min(g.expires_at)
    """,
    "grants_come_from_their_entries": """
        SELECT e.customer_id, e.id, CASE WHEN g.id IS NULL THEN 'the entry brought no grant'
            ELSE 'grant ' || g.id || ' of ' || g.amount || ' (' || g.kind || ') does not fit the entry' END
        FROM billing_ledgerentry e LEFT JOIN billing_creditgrant g ON g.entry_id = e.id
        WHERE <customers:e.customer_id> AND CASE WHEN e.amount > 0 AND e.kind = ANY(%(grant_kinds)s)
            THEN g.id IS NULL OR g.amount <> e.amount OR g.customer_id <> e.customer_id OR g.kind <> e.kind
                 OR g.payment_id IS DISTINCT FROM e.payment_id OR g.plan_period_id IS DISTINCT FROM e.plan_period_id
            ELSE g.id IS NOT NULL END
    """,
    "entries_have_a_reason": """
        SELECT e.customer_id, e.id, 'the ' || e.kind || ' of ' || e.amount || ' has nothing that explains it'
        FROM billing_ledgerentry e
        WHERE <customers:e.customer_id> AND CASE
            WHEN e.kind IN ('purchase', 'auto_top_up', 'refund', 'refund_reversal', 'dispute', 'dispute_reversal')
                THEN e.payment_id IS NULL
            WHEN e.kind IN ('plan_allowance', 'plan_reversal') THEN e.plan_period_id IS NULL
            WHEN e.kind IN ('usage_correction', 'correction') THEN e.corrects_id IS NULL AND e.description = ''
            WHEN e.kind = 'adjustment' THEN e.description = ''
            WHEN e.kind = 'write_off' AND e.amount < 0 THEN e.payment_id IS NULL
            WHEN e.kind = 'expiry' THEN NOT EXISTS (SELECT 1 FROM billing_grantallocation a WHERE a.entry_id = e.id)
            ELSE false END
    """,
    "settled_holds_were_charged_once": """
        SELECT h.customer_id, max(e.id), 'hold ' || h.public_id || ' is ' || h.state || ' with '
            || coalesce(h.settled_amount, 0) || ', its entries add up to ' || coalesce(sum(e.amount), 0)
        FROM billing_credithold h
        LEFT JOIN billing_ledgerentry e ON e.customer_id = h.customer_id AND e.idempotency_key = 'hold:' || h.id
        WHERE <customers:h.customer_id> GROUP BY h.id
        HAVING coalesce(sum(-e.amount), 0) <> coalesce(h.settled_amount, 0)
    """,
    "hold_entries_have_their_key": """
        SELECT e.customer_id, e.id, 'the entry names hold ' || e.hold_id || ' but has the key ' || e.idempotency_key
        FROM billing_ledgerentry e
        WHERE <customers:e.customer_id> AND e.hold_id IS NOT NULL AND e.idempotency_key <> 'hold:' || e.hold_id
    """,
    "payments_are_within_bounds": """
        SELECT p.customer_id, max(e.id), 'payment ' || p.public_id || ' of ' || p.credits + p.bonus_credits
            || ' credits has ' || coalesce(sum(e.amount), 0) || ' posted'
            || CASE WHEN p.paid_at IS NULL THEN ' and is not paid' ELSE '' END
        FROM billing_payment p
        LEFT JOIN billing_ledgerentry e ON e.customer_id = p.customer_id AND e.payment_id = p.id
            AND e.kind NOT IN ('expiry', 'write_off')
        WHERE <customers:p.customer_id> AND p.kind <> 'plan' GROUP BY p.id
        HAVING coalesce(sum(e.amount), 0) NOT BETWEEN 0 AND p.credits + p.bonus_credits
            OR (coalesce(sum(e.amount), 0) > 0 AND p.paid_at IS NULL) OR count(e.id) <> p.posting_count
    """,
    "paid_payments_are_granted": """
        SELECT p.customer_id, NULL, 'payment ' || p.public_id || ' is paid, and nothing was posted for it'
        FROM billing_payment p
        WHERE <customers:p.customer_id> AND p.paid_at IS NOT NULL AND p.mismatch = '' AND p.posting_count = 0
            AND p.kind <> 'plan'
            AND (p.paid_amount_minor = 0 OR p.given_back_minor < p.paid_amount_minor)
    """,
    "payments_keep_what_is_still_paid_for": """
        SELECT p.customer_id, NULL, 'payment ' || p.public_id || ' has ' || posted || ' posted, ' || kept
            || ' are still paid for, ' || expired || ' expired'
        FROM (SELECT p.*, coalesce(sum(e.amount) FILTER (WHERE e.kind NOT IN ('expiry', 'write_off')), 0) AS posted,
                     -coalesce(sum(e.amount) FILTER (WHERE e.kind = 'expiry'), 0) AS expired,
                     CASE WHEN p.paid_amount_minor = 0 THEN p.credits + p.bonus_credits
                          ELSE trunc((p.credits + p.bonus_credits) * (p.paid_amount_minor - p.given_back_minor)
                                     / p.paid_amount_minor, 6) END AS kept
              FROM billing_payment p JOIN billing_ledgerentry e ON e.payment_id = p.id
              WHERE <customers:p.customer_id> AND p.posting_count > 0 AND p.paid_at IS NOT NULL GROUP BY p.id) p
        WHERE posted < kept OR posted > kept + expired
    """,
    "given_back_is_what_its_parts_say": """
        SELECT p.customer_id, NULL, 'payment ' || p.public_id || ' has ' || p.given_back_minor || ' given back, '
            || p.refunded_minor || ' refunded (live refunds: ' || coalesce(r.total, 0) || '), '
            || p.credited_minor || ' credited (by notes: ' || coalesce(n.total, 0) || '), '
            || p.withdrawn_minor || ' withdrawn'
        FROM billing_payment p
        LEFT JOIN (SELECT payment_id, sum(amount_minor) AS total FROM billing_paymentrefund WHERE NOT is_dead
                   GROUP BY payment_id) r ON r.payment_id = p.id
        LEFT JOIN (SELECT i.payment_id, sum(c.to_balance_minor + c.elsewhere_minor) AS total
                   FROM billing_creditnote c JOIN billing_invoice i ON i.id = c.invoice_id
                   WHERE NOT c.is_void AND i.payment_id IS NOT NULL GROUP BY i.payment_id) n ON n.payment_id = p.id
        WHERE <customers:p.customer_id> AND (p.refunded_minor <> coalesce(r.total, 0)
            OR p.credited_minor <> coalesce(n.total, 0) OR p.given_back_minor
            <> least(CASE WHEN p.paid_at IS NULL THEN 0 ELSE p.paid_amount_minor END,
                     p.refunded_minor + p.credited_minor + p.withdrawn_minor))
    """,
    "money_movements_end_at_the_payment": """
        SELECT p.customer_id, NULL, 'payment ' || p.public_id || ' has ' || p.movement_count || ' money movements, '
            || coalesce(m.count, 0) || ' are there; the last one says ' || coalesce(m.last, 'nothing')
        FROM billing_payment p
        LEFT JOIN (SELECT payment_id, count(*) AS count, max(number) AS number,
                          (array_agg(collected_minor || '/' || tax_minor || '/' || given_back_minor
                                     ORDER BY number DESC))[1] AS last
                   FROM billing_moneymovement GROUP BY payment_id) m ON m.payment_id = p.id
        WHERE <customers:p.customer_id> AND p.kind <> 'plan' AND (p.movement_count <> coalesce(m.count, 0)
            OR p.movement_count <> coalesce(m.number, 0)
            OR coalesce(m.last, '0/0/0') <> CASE WHEN p.paid_at IS NULL THEN '0/0/0' ELSE p.paid_amount_minor || '/'
                || coalesce(p.paid_tax_minor, 0) || '/' || p.given_back_minor END)
    """,
    **PLAN_CHECKS,
    "write_offs_taken_back_were_made": """
        SELECT e.customer_id, max(e.id), 'payment ' || e.payment_id || ' has ' || -sum(e.amount)
            || ' of write-offs taken back, ' || coalesce(max(w.forgiven), 0) || ' were written off'
        FROM billing_ledgerentry e
        LEFT JOIN (SELECT c.payment_id, -sum(a.amount) AS forgiven
                   FROM billing_ledgerentry c JOIN billing_grantallocation a ON a.entry_id = c.id
                   WHERE c.payment_id IS NOT NULL AND a.kind = 'write_off' GROUP BY c.payment_id) w
            ON w.payment_id = e.payment_id
        WHERE <customers:e.customer_id> AND e.kind = 'write_off' AND e.amount < 0
        GROUP BY e.customer_id, e.payment_id HAVING -sum(e.amount) > coalesce(max(w.forgiven), 0)
    """,
    "adjustments_have_their_entry": """
        SELECT a.customer_id, e.id, 'adjustment ' || a.public_id || ' of ' || a.amount || ' has an entry of '
            || e.amount
        FROM billing_adjustment a JOIN billing_ledgerentry e ON e.id = a.entry_id
        WHERE <customers:a.customer_id> AND (e.customer_id <> a.customer_id
            OR CASE WHEN a.is_write_off THEN e.amount > a.amount ELSE e.amount <> a.amount END
            OR e.idempotency_key <> 'staff:' || a.public_id)
    """,
    "vouchers_bring_what_they_say": """
        SELECT r.customer_id, e.id, 'use ' || r.public_id || ' of a voucher of ' || b.credits || ' has a ' || e.kind
            || ' of ' || e.amount
        FROM billing_voucherredemption r JOIN billing_ledgerentry e ON e.id = r.entry_id
        JOIN billing_vouchercode c ON c.id = r.code_id JOIN billing_voucherbatch b ON b.id = c.batch_id
        WHERE <customers:r.customer_id> AND (e.customer_id <> r.customer_id OR e.kind <> 'voucher'
            OR e.amount <> b.credits OR e.idempotency_key <> 'voucher:' || r.public_id)
    """,
    "vouchers_are_used_as_often_as_they_say": """
        SELECT r.customer_id, max(r.entry_id), 'voucher ' || c.id || ' has ' || c.uses_left || ' of '
            || b.uses_per_code || ' uses left, ' || u.used || ' were made'
        FROM billing_voucherredemption r JOIN billing_vouchercode c ON c.id = r.code_id
        JOIN billing_voucherbatch b ON b.id = c.batch_id
        CROSS JOIN LATERAL (SELECT count(*) AS used FROM billing_voucherredemption WHERE code_id = c.id) u
        WHERE <customers:r.customer_id> AND c.uses_left <> b.uses_per_code - u.used
        GROUP BY r.customer_id, c.id, b.uses_per_code, u.used
    """,
    "frozen_while_a_flag_freezes": """
        SELECT b.customer_id, NULL, CASE WHEN b.frozen_at IS NULL
            THEN 'a flag freezes the customer, the balance is free'
            ELSE 'the balance is frozen, no flag says why' END
        FROM billing_creditbalance b
        LEFT JOIN (SELECT DISTINCT customer_id FROM billing_customerflag WHERE ended_at IS NULL AND freezes) f
            ON f.customer_id = b.customer_id
        WHERE <customers:b.customer_id> AND (b.frozen_at IS NULL) <> (f.customer_id IS NULL)
    """,
    "top_up_is_asked_for_while_it_is_on": """
        SELECT b.customer_id, NULL, 'a top-up is asked for below ' || coalesce(b.top_up_below::text, 'nothing')
            || ', agreed to is ' || coalesce(c.threshold::text, 'nothing')
        FROM billing_creditbalance b
        LEFT JOIN billing_autotopup t ON t.customer_id = b.customer_id AND t.state = 'on'
        LEFT JOIN billing_topupconsent c ON c.id = t.consent_id
        WHERE <customers:b.customer_id> AND b.top_up_below IS DISTINCT FROM c.threshold
    """,
}


@cache
def statements_of(*, all_customers: bool) -> list[str]:
    """Statements that give (check, customer id, entry id, detail).

    One for each check over all customers; a single one over those of the parameter `customers`, because many round
    trips would cost more than the look at a few rows.
    """
    condition = "TRUE" if all_customers else r"\1 = ANY(%(customers)s)"
    statements = [
        f"SELECT '{name}', customer_id, entry_id::bigint, detail "  # noqa: S608  # constant texts only
        f"FROM ({re.sub(r'<customers:([.a-z_]+)>', condition, query)}) AS found(customer_id, entry_id, detail)"
        for name, query in CHECKS.items()
    ]
    return statements if all_customers else [" UNION ALL ".join(statements)]
