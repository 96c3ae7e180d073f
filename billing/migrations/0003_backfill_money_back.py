"""What earlier versions recorded otherwise: money collected, flags and freezes."""

from django.db import migrations

# A purchase that a code made free has moved no money.
MOVEMENTS = """
    INSERT INTO billing_moneymovement
        (payment_id, number, collected_minor, tax_minor, given_back_minor, currency, entry_id, occurred_at, created_at)
    SELECT payment.id, 1, payment.paid_amount_minor, coalesce(payment.paid_tax_minor, 0), 0, payment.paid_currency,
        entry.id, payment.paid_at, coalesce(entry.created_at, now())
    FROM billing_payment payment
    LEFT JOIN billing_ledgerentry entry ON entry.customer_id = payment.customer_id
        AND entry.idempotency_key = 'payment:' || payment.id || ':1'
    WHERE payment.paid_at IS NOT NULL AND payment.paid_amount_minor > 0;
    UPDATE billing_payment SET movement_count = 1 WHERE paid_at IS NOT NULL AND paid_amount_minor > 0;
"""
# A flag for a payment under review ends with the review, so it is told from any other.
FLAGS = """
    INSERT INTO billing_customerflag (customer_id, cause, reason, freezes, raised_at, ended_reason)
    SELECT customer.id, 'payment:' || payment.public_id, left('Payment ' || payment.public_id || ': ' || mismatch, 500),
        false, customer.flagged_at, ''
    FROM billing_billingcustomer customer JOIN billing_payment payment ON payment.customer_id = customer.id
    WHERE customer.flagged_at IS NOT NULL AND payment.mismatch <> '';
    INSERT INTO billing_customerflag (customer_id, cause, reason, freezes, raised_at, ended_reason)
    SELECT id, 'earlier', flag_reason, false, flagged_at, '' FROM billing_billingcustomer customer
    WHERE flagged_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM billing_payment payment WHERE payment.customer_id = customer.id AND payment.mismatch <> ''
            AND starts_with(customer.flag_reason, 'Payment ' || payment.public_id || ':'));
    INSERT INTO billing_customerflag (customer_id, cause, reason, freezes, raised_at, ended_reason)
    SELECT customer_id, 'staff', frozen_reason, true, frozen_at, ''
    FROM billing_creditbalance WHERE frozen_at IS NOT NULL;
    UPDATE billing_billingcustomer customer SET flagged_at = first.raised_at, flag_reason = first.reason
    FROM (SELECT DISTINCT ON (customer_id) customer_id, raised_at, reason FROM billing_customerflag
          ORDER BY customer_id, raised_at, id) first
    WHERE first.customer_id = customer.id;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_money_back_and_staff_control")]

    operations = [
        migrations.RunSQL(MOVEMENTS, migrations.RunSQL.noop),
        migrations.RunSQL(FLAGS, migrations.RunSQL.noop),
    ]
