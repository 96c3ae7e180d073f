"""Finding customers by what people have at hand."""

from billing.errors import InvalidRequest
from billing.models import BillingCustomer


def find_customer(*, name: str) -> BillingCustomer:
    """The customer of an e-mail address, a public id (`cust_…`) or a Stripe id (`cus_…`).

    Raises:
        InvalidRequest: there is none.
    """
    candidates = BillingCustomer.objects.select_related("user")
    if "@" in name:
        found = candidates.filter(user__email__iexact=name).first()
    elif name.startswith("cus_"):
        found = candidates.filter(stripe_customer_id=name).first()
    else:
        found = candidates.filter(public_id=name).first()
    if found is None:
        raise InvalidRequest(
            field="customer", fault=f"nobody is called {name!r}", remedy="Send an e-mail address, cust_… or cus_… id."
        )
    return found
