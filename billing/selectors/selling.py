"""Whether anything is sold, and to whom. Packs, plans, automatic top-up, pages and API all ask here."""

from hashlib import sha256

from billing import conf
from billing.models import BillingCustomer

_EVERYBODY = 100  # percent


def sells_to(customer: BillingCustomer) -> bool:
    """Whether this customer may buy now: something is sold, and they are of the part it is sold to, or staff."""
    if not conf.is_billing_enabled():
        return False
    if cohort_place(customer.public_id) < conf.billing_cohort_percent():
        return True
    return customer.user is not None and customer.user.is_active and customer.user.is_staff


def sells_to_user(user_id: int | None) -> bool:
    """Whether this user may buy now; the customer is looked up only where not all of them may."""
    if not conf.is_billing_enabled() or conf.billing_cohort_percent() >= _EVERYBODY:
        return conf.is_billing_enabled()
    customer = BillingCustomer.objects.filter(user__pk=user_id or 0).select_related("user").first()
    return customer is not None and sells_to(customer)


def cohort_place(public_id: str) -> int:
    """A customer's own number from 0 to 99, for ever: whoever was sold to stays in as the percentage grows."""
    return int.from_bytes(sha256(f"billing-cohort:{public_id}".encode()).digest()[:8]) % 100
