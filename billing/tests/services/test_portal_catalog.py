"""The portal at Stripe gets what is on offer: each change is made, none is made twice, whatever was lost on the way."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from billing.errors import StripeUnavailable
from billing.gateway.client import StripeGateway
from billing.gateway.portal import PortalConfigurationFacts
from billing.models import Plan, PlanPrice, PortalConfiguration
from billing.services.catalog import sync_catalog
from billing.services.portal_catalog import portal_configuration_id, sync_portal
from billing.tests.threads import at_once
from sandbox.stripe.faults import FaultKind
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db
ADDRESS = "/v1/billing_portal/configurations"
TRIES = 3  # of the SDK for one call


class Portal:
    """The portal of two plans, one of which is switched on and off."""

    def __init__(self, *, sandbox: SandboxServer, gateway: StripeGateway) -> None:
        self.sandbox, self.gateway = sandbox, gateway
        for rank, slug in enumerate(["pro", "plus"], start=1):
            terms = {"name": slug, "price_minor": 1900 * rank, "credits": Decimal(20_000)}
            Plan.objects.create(slug=slug, rank=rank, **terms)
        list(sync_catalog(gateway=gateway))

    def switch(self, *, on: bool) -> None:
        Plan.objects.filter(slug="plus").update(is_active=on)

    def sync(self, *, dry_run: bool = False) -> int:
        """How many changes were told."""
        return len(list(sync_portal(gateway=self.gateway, dry_run=dry_run)))

    def lose(self, kind: FaultKind) -> None:
        """Nobody hears of the next change, and with an error it is not even made."""
        self.sandbox.control.add_fault(kind, method="POST", path=ADDRESS, times=TRIES)
        with pytest.raises(StripeUnavailable):
            self.sync()

    @property
    def keys(self) -> list[str]:
        """Of the requests that changed it."""
        events = self.sandbox.control.list_events("billing_portal.configuration.updated")
        return [event["request"]["idempotency_key"] for event in events]

    @property
    def at_stripe(self) -> PortalConfigurationFacts:
        return self.gateway.retrieve_portal_configuration(configuration_id=portal_configuration_id())

    @property
    def plans_count(self) -> int:
        """How many plans customers can change to."""
        return len(self.at_stripe.price_ids)


@pytest.fixture
def portal(stripe_sandbox: SandboxServer, gateway: StripeGateway) -> Portal:
    return Portal(sandbox=stripe_sandbox, gateway=gateway)


def test_each_switch_within_a_minute_is_made(portal: Portal) -> None:
    for count, on in enumerate([False, True, False, True], start=1):
        portal.switch(on=on)

        assert (portal.sync(dry_run=True), portal.sync(), portal.sync()) == (1, 1, 0)

        assert portal.plans_count == 1 + on
        assert len(set(portal.keys)) == len(portal.keys) == count
    assert PortalConfiguration.objects.count() == 1


def test_a_change_that_was_not_made_is_asked_for_under_the_same_key(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    update = type(portal.gateway).update_portal_configuration

    def remember(self: StripeGateway, **arguments: str) -> object:
        asked.append(arguments["idempotency_key"])
        return update(self, **arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(type(portal.gateway), "update_portal_configuration", remember)
    portal.switch(on=False)

    portal.lose("error")
    assert portal.plans_count == 2
    assert portal.sync() == 1

    assert (len(asked), len(set(asked)), portal.keys, portal.plans_count) == (2, 1, asked[:1], 1)


def test_a_change_whose_answer_was_lost_is_seen_and_not_made_again(portal: Portal) -> None:
    portal.switch(on=False)

    portal.lose("dropped_connection")
    assert portal.sync() == 0

    assert (len(portal.keys), portal.plans_count) == (1, 1)
    assert PortalConfiguration.objects.get().digest == portal.at_stripe.digest


def test_switched_back_after_a_lost_answer_it_is_switched_back_at_stripe(portal: Portal) -> None:
    portal.switch(on=False)
    portal.lose("dropped_connection")
    portal.switch(on=True)
    portal.lose("dropped_connection")
    portal.switch(on=False)

    assert portal.sync() == 1

    assert (len(portal.keys), portal.plans_count) == (3, 1)


def test_a_request_that_comes_late_is_set_right_by_the_next_run(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was given up here and still is on its way, while something else is set."""
    update = type(portal.gateway).update_portal_configuration
    on_their_way: list[Callable[[], object]] = []

    def post_slowly(self: StripeGateway, **arguments: str) -> object:
        on_their_way.append(lambda: update(self, **arguments))  # type: ignore[arg-type]
        raise StripeUnavailable("It took too long.")

    portal.switch(on=False)
    with monkeypatch.context() as patched:
        patched.setattr(type(portal.gateway), "update_portal_configuration", post_slowly)
        with pytest.raises(StripeUnavailable):
            portal.sync()
    Plan.objects.filter(slug="pro").update(is_active=False)
    portal.switch(on=True)
    assert portal.sync() == 1

    on_their_way[0]()
    assert portal.sync() == 1

    wanted = PlanPrice.objects.get(plan__slug="plus")
    assert portal.at_stripe.price_ids == (wanted.stripe_price_id,)
    assert len(set(portal.keys)) == len(portal.keys) == 3


def test_a_configuration_that_was_switched_off_at_stripe_gets_a_successor(portal: Portal) -> None:
    first = portal_configuration_id()
    spare = portal.gateway.create_portal_configuration(plans=[], return_url="http://x.test", idempotency_key="spare")
    PortalConfiguration.objects.create(configuration_id=spare.id, digest="")
    sdk = portal.gateway._client
    sdk.v1.billing_portal.configurations.update(spare.id, {"active": False})

    assert (portal.sync(), portal.sync()) == (1, 0)

    assert portal_configuration_id() not in (first, spare.id)
    assert portal.plans_count == 2


@pytest.mark.django_db(transaction=True)
def test_runs_at_once_change_it_once(stripe_sandbox: SandboxServer, gateway: StripeGateway) -> None:
    portal = Portal(sandbox=stripe_sandbox, gateway=gateway)
    portal.switch(on=False)

    at_once(*[portal.sync] * 4)

    assert (len(portal.keys), portal.plans_count) == (1, 1)
