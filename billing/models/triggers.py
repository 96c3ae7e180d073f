"""Database triggers that make a table append-only."""

from collections.abc import Sequence

import pgtrigger


def append_only(*, but: Sequence[str] = ()) -> list[pgtrigger.Trigger]:
    """Triggers that refuse UPDATE of anything `but` these columns, DELETE and TRUNCATE, from whatever client they come.

    Test databases alone may be truncated (Django empties them between tests), and only by sessions that say so.
    """
    protections = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]
    if but:
        protections = [
            pgtrigger.Protect(
                name="append_only", operation=pgtrigger.Update, condition=pgtrigger.AnyChange(exclude=list(but))
            ),
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
        ]
    return [
        *protections,
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
