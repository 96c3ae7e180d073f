"""The calls about Stripe's customer portal, where customers change their plan, their card and whom they are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import stripe

from billing.gateway.faults import stripe_errors_as_ours
from billing.gateway.parsing import _id, _mapping, _text


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSessionFacts:
    """A customer's way into the portal. `url` is a secret of the customer: never logged."""

    id: str
    customer_id: str
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalConfigurationFacts:
    """What customers may do in the portal."""

    id: str
    is_active: bool
    is_default: bool
    price_ids: tuple[str, ...]  # of the plans that customers may change to, where Stripe gave them
    digest: str = ""  # of what we last set, see `portal_digest`; empty if that was not us
    set_by: str = ""  # the idempotency key of the request that set it


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalPlan:
    """A product and those of its prices that customers may change to: one for each interval, or Stripe refuses."""

    product_id: str
    price_ids: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalFlow:
    """One thing to do, which the portal begins with and then leads back from."""

    type: str  # payment_method_update, subscription_cancel, subscription_update, subscription_update_confirm
    subscription_id: str = ""
    item_id: str = ""  # of the confirmed update: the item that changes
    price_id: str = ""
    quantity: int = 1


class PortalCalls:
    """Part of `StripeGateway`; what it says of errors and idempotency keys holds here."""

    _client: stripe.StripeClient

    def create_portal_session(
        self,
        *,
        customer_id: str,
        return_url: str,
        idempotency_key: str,
        configuration_id: str = "",
        flow: PortalFlow | None = None,
    ) -> PortalSessionFacts:
        """A way into the portal that ends within the hour; without a configuration, by the account's default one.

        Raises:
            StripeRefused: there is no default configuration, or it does not allow the flow, or the flow does not fit
                the subscription: it is cancelled already, say.
        """
        params: dict[str, Any] = {"customer": customer_id, "return_url": return_url}
        if configuration_id:
            params["configuration"] = configuration_id
        if flow is not None:
            params["flow_data"] = _flow_params(flow, return_url)
        with stripe_errors_as_ours():
            made = self._client.v1.billing_portal.sessions.create(params, {"idempotency_key": idempotency_key})  # type: ignore[arg-type]
        return parse_portal_session(made.to_dict())

    def create_portal_configuration(
        self, *, plans: Sequence[PortalPlan], return_url: str, idempotency_key: str
    ) -> PortalConfigurationFacts:
        """A new configuration: see `portal_features`."""
        params = {**_settings(plans, return_url), "metadata": _marks(plans, return_url, idempotency_key)}
        with stripe_errors_as_ours():
            made = self._client.v1.billing_portal.configurations.create(
                params,  # type: ignore[arg-type]
                {"idempotency_key": idempotency_key},
            )
        return parse_portal_configuration(made.to_dict())

    def update_portal_configuration(
        self, *, configuration_id: str, plans: Sequence[PortalPlan], return_url: str, idempotency_key: str
    ) -> PortalConfigurationFacts:
        """A configuration, changed to offer these plans: see `portal_features`."""
        params = {**_settings(plans, return_url), "metadata": _marks(plans, return_url, idempotency_key)}
        with stripe_errors_as_ours():
            changed = self._client.v1.billing_portal.configurations.update(
                configuration_id,
                params,  # type: ignore[arg-type]
                {"idempotency_key": idempotency_key},
            )
        return parse_portal_configuration(changed.to_dict())

    def retrieve_portal_configuration(self, *, configuration_id: str) -> PortalConfigurationFacts:
        """A configuration as it is now, with the plans that it offers."""
        expand: Any = {"expand": ["features.subscription_update.products"]}
        with stripe_errors_as_ours():
            found = self._client.v1.billing_portal.configurations.retrieve(configuration_id, expand)
        return parse_portal_configuration(found.to_dict())


def portal_digest(*, plans: Sequence[PortalPlan], return_url: str) -> str:
    """A name for all that we set in a configuration: for the plans, for the way back, for what customers may do."""
    return sha256(json.dumps(_settings(plans, return_url), sort_keys=True).encode()).hexdigest()


def portal_features(plans: Sequence[PortalPlan]) -> dict[str, Any]:
    """What customers may do: all that a plan needs, as the books expect it.

    A dearer plan starts at once, and the difference is invoiced at once, because credits follow paid lines. A cheaper
    one, or a shorter interval, waits for the end of the period, and so does a cancellation: what is paid is used.
    Without plans nothing is changed to another one, and all else can be done.
    """
    products = [{"product": plan.product_id, "prices": list(plan.price_ids)} for plan in plans]
    update: dict[str, Any] = {"enabled": False}
    if products:
        update = {
            "enabled": True,
            "default_allowed_updates": ["price"],
            "products": products,
            "proration_behavior": "always_invoice",
            "schedule_at_period_end": {
                "conditions": [{"type": "decreasing_item_amount"}, {"type": "shortening_interval"}]
            },
        }
    return {
        "customer_update": {"enabled": True, "allowed_updates": ["name", "email", "address", "tax_id"]},
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True},
        "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
        "subscription_update": update,
    }


def _settings(plans: Sequence[PortalPlan], return_url: str) -> dict[str, Any]:
    return {"default_return_url": return_url, "features": portal_features(plans)}


def _marks(plans: Sequence[PortalPlan], return_url: str, idempotency_key: str) -> dict[str, str]:
    """What the configuration tells of itself, set in one step with it."""
    return {"digest": portal_digest(plans=plans, return_url=return_url), "set_by": idempotency_key}


def _flow_params(flow: PortalFlow, return_url: str) -> dict[str, Any]:
    params: dict[str, Any] = {
        "type": flow.type,
        "after_completion": {"type": "redirect", "redirect": {"return_url": return_url}},
    }
    if flow.type == "subscription_update_confirm":
        item = {"id": flow.item_id, "price": flow.price_id, "quantity": flow.quantity}
        params[flow.type] = {"subscription": flow.subscription_id, "items": [item]}
    elif flow.type.startswith("subscription_"):
        params[flow.type] = {"subscription": flow.subscription_id}
    return params


def parse_portal_session(session: Mapping[str, Any]) -> PortalSessionFacts:
    """Facts of a portal session."""
    return PortalSessionFacts(
        id=_id(session.get("id")), customer_id=_id(session.get("customer")), url=_text(session.get("url"))
    )


def parse_portal_configuration(configuration: Mapping[str, Any]) -> PortalConfigurationFacts:
    """Facts of a configuration of the portal."""
    update = _mapping(_mapping(configuration.get("features")).get("subscription_update"))
    products = update.get("products")
    named = [_mapping(product).get("prices") for product in products] if isinstance(products, list) else []
    price_ids = [_id(price) for prices in named if isinstance(prices, list) for price in prices]
    marks = _mapping(configuration.get("metadata"))
    return PortalConfigurationFacts(
        id=_id(configuration.get("id")),
        is_active=configuration.get("active") is True,
        is_default=configuration.get("is_default") is True,
        price_ids=tuple(price_ids),
        digest=_text(marks.get("digest")),
        set_by=_text(marks.get("set_by")),
    )
