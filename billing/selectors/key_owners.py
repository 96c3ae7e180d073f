"""Who calls by an API key: the key, its user and the user's customer, by one constant statement."""

from functools import cache

from django.db import connection

from accounts.models import ApiKey, User
from billing.models import BillingCustomer
from billing.models.rows import Rows

_KEYS, _USERS, _CUSTOMERS = Rows(ApiKey), Rows(User), Rows(BillingCustomer)


def read_key(key_id: str, prefix: str) -> ApiKey | None:
    """The key of this id with its user and customer at hand; None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(_statement(), [key_id, prefix])
        found = cursor.fetchone()
    if found is None:
        return None
    of_user, of_customer = _KEYS.width, _KEYS.width + _USERS.width
    key = _KEYS.read(found[:of_user])
    if key.user_id is not None:
        key.user = _USERS.read(found[of_user:of_customer])
        if found[of_customer] is not None:
            _CUSTOMERS.read(found[of_customer:]).user = key.user  # known from both sides then
    return key


@cache
def _statement() -> str:
    return f"""
        SELECT {_KEYS.columns("key")}, {_USERS.columns("owner")}, {_CUSTOMERS.columns("customer")}
        FROM accounts_apikey AS key
        LEFT JOIN accounts_user AS owner ON owner.id = key.user_id
        LEFT JOIN billing_billingcustomer AS customer ON customer.user_id = owner.id
        WHERE key.key_id = %s AND key.prefix = %s
    """  # noqa: S608  # names of ours only
