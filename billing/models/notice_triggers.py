"""Database triggers that announce what happens to credits, whichever of the ledger's statements writes it.

Their conditions are false for the ordinary debit, so it costs a comparison. docs/notices.md has the payloads.
"""

import pgtrigger

from billing.kinds import CLAW_BACKS

_TIME = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""
_NOTICE = """
    INSERT INTO billing_notice (public_id, customer_id, event, key, payload, occurred_at, created_at)
    VALUES ('evt_' || replace(gen_random_uuid()::text, '-', ''), NEW.customer_id, {event}, {key}, {payload},
        {occurred_at}, clock_timestamp());
"""
# What is posted counts, not what holds set aside: those come and go with every call, and only their settlement spends.
_BECAME_LOW = "NEW.low_threshold > 0 AND NEW.posted < NEW.low_threshold AND OLD.posted >= NEW.low_threshold"
_BECAME_EMPTY = "NEW.posted <= 0 AND OLD.posted > 0"
_BECAME_DEBT = "NEW.posted < 0 AND OLD.posted >= 0"
_IS_WELL = "NEW.was_told AND NEW.posted > 0 AND NEW.posted >= NEW.low_threshold"
_ROSE = f"{_IS_WELL} AND NEW.posted > OLD.posted"
_BALANCE = """jsonb_build_object('available', greatest(NEW.posted - NEW.held, 0::numeric(22, 6))::text,
    'posted', NEW.posted::text, 'held', NEW.held::text, 'threshold', NEW.low_threshold::text,
    'debt', greatest(-NEW.posted, 0::numeric(22, 6))::text)"""


def _notice(*, event: str, key: str, payload: str, occurred_at: str = "clock_timestamp()") -> str:
    return _NOTICE.format(event=f"'{event}'", key=key, payload=payload, occurred_at=occurred_at)


def announce_crossings() -> pgtrigger.Trigger:
    """A balance that falls below its threshold, to zero or below zero is told once, and its recovery after that.

    `was_told` is what a recovery needs: the first credits of a new customer are none. A threshold that is lowered ends
    a fall without a word: nothing came in.
    """
    by_sequence = {"key": "NEW.last_sequence::text", "payload": _BALANCE}
    return pgtrigger.Trigger(
        name="announce_crossings",
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        condition=pgtrigger.Condition(f"(({_BECAME_LOW}) OR ({_BECAME_EMPTY}) OR ({_BECAME_DEBT}) OR ({_IS_WELL}))"),
        func=f"""
            IF {_ROSE} THEN
                {_notice(event="balance.recovered", **by_sequence)}
            END IF;
            IF {_IS_WELL} THEN
                NEW.was_told := false;
                RETURN NEW;
            END IF;
            IF {_BECAME_LOW} THEN
                {_notice(event="balance.low", **by_sequence)}
            END IF;
            IF {_BECAME_EMPTY} THEN
                {_notice(event="balance.depleted", **by_sequence)}
            END IF;
            IF {_BECAME_DEBT} THEN
                {_notice(event="balance.debt", **by_sequence)}
            END IF;
            NEW.was_told := true;
            RETURN NEW;
        """,
    )


def announce_grants() -> pgtrigger.Trigger:
    """Credits that came in."""
    payload = f"""(
        SELECT jsonb_build_object('kind', NEW.kind, 'amount', NEW.amount::text,
            'balance_after', entry.balance_after::text, 'payment', payment.public_id,
            'expires_at', {_TIME.format("NEW.expires_at")})
        FROM billing_ledgerentry entry LEFT JOIN billing_payment payment ON payment.id = NEW.payment_id
        WHERE entry.id = NEW.entry_id)"""  # noqa: S608  # constant texts only
    occurred_at = "(SELECT occurred_at FROM billing_ledgerentry WHERE id = NEW.entry_id)"
    return pgtrigger.Trigger(
        name="announce_grants",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        func=_notice(event="credits.granted", key="NEW.entry_id::text", payload=payload, occurred_at=occurred_at)
        + "RETURN NULL;",
    )


def announce_claw_backs() -> pgtrigger.Trigger:
    """Credits that were taken back because their money or allowance went back."""
    kinds = ", ".join(f"'{kind.value}'" for kind in sorted(CLAW_BACKS))
    payload = """jsonb_build_object('kind', NEW.kind, 'amount', (-NEW.amount)::text,
        'balance_after', NEW.balance_after::text,
        'payment', (SELECT public_id FROM billing_payment WHERE id = NEW.payment_id))"""
    return pgtrigger.Trigger(
        name="announce_claw_backs",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        condition=pgtrigger.Condition(f"(NEW.kind IN ({kinds}) AND NEW.amount < 0)"),
        func=_notice(
            event="credits.clawed_back", key="NEW.sequence::text", payload=payload, occurred_at="NEW.occurred_at"
        )
        + "RETURN NULL;",
    )
