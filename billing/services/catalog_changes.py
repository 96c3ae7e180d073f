"""What is done to Stripe's catalog."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogChange:
    """One step of bringing Stripe's catalog in line, made or (in a dry run) to be made."""

    item: str  # the slug of a pack or a plan, `portal`, or `portal_without_sale`
    action: str  # create_product, create_price, deactivate_price, configure_portal, or refused
    object_id: str = ""
    detail: str = ""
