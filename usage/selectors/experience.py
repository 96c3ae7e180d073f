"""What a customer's calls of a model were like so far."""

from django.db import connection

_CALLS_LOOKED_AT = 200
MIN_CALLS = 20
_PERCENTILE = """
    SELECT count(*), percentile_disc(0.95) WITHIN GROUP (ORDER BY output_tokens)
    FROM (SELECT output_tokens, basis, status FROM usage_usageevent
          WHERE customer_id = %s AND model = %s ORDER BY id DESC LIMIT %s) AS latest
    WHERE status = 'completed' AND basis <> 'recorded'
"""


def expected_output_tokens(*, customer_id: int, model: str) -> int | None:
    """How long 95 of 100 answers were at most, of the customer's latest calls of the model; None before `MIN_CALLS`.

    Only calls that were metered here count: what a product says of its own work must not make our holds small.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PERCENTILE, [customer_id, model, _CALLS_LOOKED_AT])
        calls, tokens = cursor.fetchone()
    return int(tokens) if calls >= MIN_CALLS else None
