"""Holds, read. Reads never lock."""

from billing.models import CreditHold


def find_hold(*, public_id: str, customer_id: int, placed_by: str) -> CreditHold | None:
    """The customer's hold of that id, if `placed_by` placed it: to others it does not exist."""
    return CreditHold.objects.filter(public_id=public_id, customer_id=customer_id, placed_by=placed_by).first()
