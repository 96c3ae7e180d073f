"""The checks of plans: what their paid lines allow is what the ledger holds. Read with `verification_checks.py`."""

PLAN_CHECKS = {
    "plan_periods_hold_what_their_lines_allow": """
        SELECT p.customer_id, p.last_id, 'period ' || p.id || ' of ' || p.subscription_id || ' has ' || p.posted
            || ' posted by ' || p.entries || ' entries, its lines allow ' || p.target_credits
        FROM (SELECT p.*, max(e.id) AS last_id,
                     coalesce(sum(e.amount) FILTER (WHERE e.kind NOT IN ('expiry', 'write_off')), 0) AS posted,
                     count(e.id) FILTER (WHERE e.kind NOT IN ('expiry', 'write_off')) AS entries,
                     -coalesce(sum(e.amount) FILTER (WHERE e.kind = 'expiry'), 0) AS expired
              FROM billing_planperiod p LEFT JOIN billing_ledgerentry e ON e.plan_period_id = p.id
              WHERE <customers:p.customer_id> GROUP BY p.id) p
        WHERE posted NOT BETWEEN target_credits AND target_credits + expired OR entries <> posting_count
    """,
    # To the last place but one: what is exact in Python is rounded here, at each line.
    "plan_targets_are_what_paid_lines_say": """
        SELECT p.customer_id, NULL, 'period ' || p.id || ' of ' || p.subscription_id || ' has a target of '
            || p.target_credits || ', its paid lines say ' || round(coalesce(l.worth, 0), 6)
        FROM billing_planperiod p
        LEFT JOIN (SELECT l.period_id, sum(l.unit_credits * l.amount_minor * 1.000000000000 / l.unit_amount_minor
                       * CASE WHEN coalesce(m.paid_amount_minor + i.credited_before_minor, 0) = 0 THEN 1
                              ELSE (m.paid_amount_minor - m.given_back_minor) * 1.000000000000
                                   / (m.paid_amount_minor + i.credited_before_minor)
                         END) AS worth
                   FROM billing_invoice i JOIN billing_invoiceline l ON l.invoice_id = i.id
                   LEFT JOIN billing_payment m ON m.id = i.payment_id
                   WHERE <customers:i.customer_id> AND i.status = 'paid' AND l.unit_credits IS NOT NULL
                       AND (l.discount_minor = 0 OR l.discount_minor <> l.amount_minor)
                       AND (i.total_minor <> i.credited_before_minor OR i.from_balance_minor > 0)
                   GROUP BY l.period_id) l ON l.period_id = p.id
        WHERE <customers:p.customer_id> AND abs(p.target_credits - greatest(0, coalesce(l.worth, 0))) > 0.000002
    """,
    "plan_movements_end_at_the_period": """
        SELECT p.customer_id, NULL, 'period ' || p.id || ' of ' || p.subscription_id || ' has ' || p.movement_count
            || ' movements of money, ' || coalesce(m.count, 0) || ' are there; the last one keeps '
            || coalesce(m.kept, 0) || ' of ' || p.target_credits || ' credits'
        FROM billing_planperiod p
        LEFT JOIN (SELECT period_id, count(*) AS count, max(number) AS number,
                          (array_agg(kept_credits ORDER BY number DESC))[1] AS kept
                   FROM billing_planperiod own JOIN billing_planmovement moved ON moved.period_id = own.id
                   WHERE <customers:own.customer_id> GROUP BY period_id) m ON m.period_id = p.id
        WHERE <customers:p.customer_id> AND (p.movement_count <> coalesce(m.count, 0)
            OR p.movement_count <> coalesce(m.number, 0) OR coalesce(m.kept, 0) <> p.target_credits)
    """,
}
