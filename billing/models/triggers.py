"""Database triggers that make a table append-only."""

import pgtrigger


def append_only() -> list[pgtrigger.Trigger]:
    """Triggers that refuse UPDATE, DELETE and TRUNCATE, from whatever client they come.

    Test databases alone may be truncated (Django empties them between tests), and only by sessions that say so.
    """
    return [
        pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        pgtrigger.Trigger(
            name="no_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func=r"""
                IF current_setting('prepaid.allow_truncate', true) = 'on' AND current_database() LIKE 'test\_%' THEN
                    RETURN NULL;
                END IF;
                RAISE EXCEPTION 'pgtrigger: Cannot truncate rows from % table', TG_TABLE_NAME;
            """,
        ),
    ]
